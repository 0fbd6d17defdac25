/** A container's log as a stream of text, from its files, to its end or for as long as it runs. */

import { watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type LogEntry, LogPrinter, type LogQuery, lastLines, readEntry } from '#lab/kubelet/logs/entry.ts';
import { isMissing } from '#lab/kubelet/runtime/disk.ts';

const CHUNK = 64 * 1024;
/** A change may escape the watch (the file was just renamed): it is looked at anyway after this, ms. */
const LOOK_MS = 250;

/** One whole line of the file as an entry; undefined for one that is none, or none of those that are meant. */
export type ReadEntry = (line: string) => LogEntry | undefined;

/**
 * Text of the log for one client. `isOver` tells whether the container has ended: a follower then reads what is left
 * and ends too.
 * @param entryOf of the CRI's format, if not given; called with the lines in their order
 */
export async function* readLog(
  path: string,
  query: LogQuery,
  isOver: () => boolean,
  signal: AbortSignal,
  entryOf: ReadEntry = readEntry,
): AsyncGenerator<string> {
  const printer = new LogPrinter(query);
  let left = query.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const entries of batches(path, query, isOver, signal, entryOf)) {
    const text = entries.map((entry) => printer.print(entry)).join('');
    if (text === '') continue;
    const cut = Buffer.byteLength(text) <= left ? text : Buffer.from(text).subarray(0, left).toString('utf8');
    left -= Buffer.byteLength(cut);
    yield cut;
    if (left <= 0) return;
  }
}

async function* batches(
  path: string,
  query: LogQuery,
  isOver: () => boolean,
  signal: AbortSignal,
  entryOf: ReadEntry,
): AsyncGenerator<LogEntry[]> {
  const old = await Tail.open(`${path}.1`, entryOf);
  const rotated = old === undefined ? [] : await old.drain();
  let tail = await Tail.open(path, entryOf);
  try {
    const first = [...rotated, ...((await tail?.read()) ?? [])];
    if (query.tailLines === undefined) yield first;
    else {
      for (let more = await tail?.read(); more !== undefined && more.length > 0; more = await tail?.read())
        first.push(...more);
      yield lastLines(first, query.tailLines);
    }
    for (;;) {
      const over = isOver();
      const entries = (await tail?.read()) ?? [];
      if (entries.length > 0) yield entries;
      else if (!query.follow || over || signal.aborted) return;
      else if (tail === undefined || (await tail.isRotated(path))) {
        await tail?.close();
        tail = await Tail.open(path, entryOf);
        if (tail === undefined) await changed(path, signal);
      } else await changed(path, signal);
    }
  } finally {
    await tail?.close();
  }
}

/** Resolves when the file changes, or soon anyway. */
function changed(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      watcher?.close();
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    let watcher: ReturnType<typeof watch> | undefined;
    const timer = setTimeout(end, LOOK_MS);
    try {
      watcher = watch(path, end).on('error', end);
    } catch {
      // Not there yet: the timer looks again.
    }
    signal.addEventListener('abort', end);
  });
}

/** Whole lines of a file that grows. */
class Tail {
  readonly #file: FileHandle;
  readonly #entryOf: ReadEntry;
  #position = 0;
  #rest = Buffer.alloc(0);

  private constructor(file: FileHandle, entryOf: ReadEntry) {
    this.#file = file;
    this.#entryOf = entryOf;
  }

  static async open(path: string, entryOf: ReadEntry): Promise<Tail | undefined> {
    try {
      return new Tail(await open(path, 'r'), entryOf);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Entries of the next piece; none at the end of the file. */
  async read(): Promise<LogEntry[]> {
    const buffer = Buffer.alloc(CHUNK);
    for (;;) {
      const { bytesRead } = await this.#file.read(buffer, 0, CHUNK, this.#position);
      if (bytesRead === 0) return [];
      this.#position += bytesRead;
      const all = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]);
      const end = all.lastIndexOf(10) + 1;
      this.#rest = Buffer.from(all.subarray(end));
      const lines = all.subarray(0, end).toString('utf8').split('\n').slice(0, -1);
      const entries = lines.flatMap((line) => this.#entryOf(line) ?? []);
      if (entries.length > 0) return entries;
    }
  }

  /** All that is left; closes the file. */
  async drain(): Promise<LogEntry[]> {
    const all: LogEntry[] = [];
    for (let some = await this.read(); some.length > 0; some = await this.read()) all.push(...some);
    await this.close();
    return all;
  }

  /** Whether another file stands under the path now. */
  async isRotated(path: string): Promise<boolean> {
    const there = await open(path, 'r').catch(() => undefined);
    if (there === undefined) return false;
    const [now, mine] = [await there.stat(), await this.#file.stat()];
    await there.close();
    return now.ino !== mine.ino;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
