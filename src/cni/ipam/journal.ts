/**
 * An append-only file of records, each a line. A record counts from its newline on: a torn last line, as `kill -9`
 * in the middle of a write leaves it, is cut off.
 *
 * There is no fsync: what the kernel has taken from write(2) survives the death of the process, and after a crash of
 * the machine the boot id differs, so that the old allocations are void anyway (their pods are gone).
 */

import {
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { decodeRecord, encodeRecord } from '#cni/ipam/decode.ts';
import type { JournalRecord } from '#cni/ipam/record.ts';
import { PolderError } from '#spec/errors.ts';
import { isObject } from '#wire/cni/json.ts';

const FORMAT = 1;

export class Journal implements Disposable {
  readonly path: string;
  readonly #header: string;
  #fd: number;
  /** Bytes that count: everything up to the last newline that we wrote. */
  #length: number;
  #lines: number;

  /** Opens (or makes) the journal and hands every record of this boot to `replay`. @throws PolderError journal-damaged, cni-io */
  constructor(path: string, bootId: string, replay: (record: JournalRecord) => void) {
    this.path = path;
    this.#header = `${JSON.stringify({ polder: 'cni-journal', version: FORMAT, boot: bootId })}\n`;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const text = readIfThere(path);
    const whole = text.subarray(0, text.lastIndexOf(0x0a) + 1);
    if (!sameBoot(whole, bootId, path)) {
      this.#fd = -1;
      this.#length = 0;
      this.#lines = 0;
      this.rewrite([]);
      return;
    }
    this.#lines = replayLines(whole, path, replay);
    this.#fd = openSync(path, 'a', 0o600);
    this.#length = whole.length;
    if (whole.length !== text.length) ftruncateSync(this.#fd, whole.length);
  }

  /** Records in the file. */
  get lines(): number {
    return this.#lines;
  }

  /** Durable against `kill -9` when it returns. @throws PolderError cni-io, and then nothing was added. */
  append(record: JournalRecord): void {
    const bytes = Buffer.from(encodeRecord(record));
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    } catch (error) {
      this.#cutBack();
      throw new PolderError('cni-io', { what: `Cannot write ${this.path}: ${reason(error)}` }, { cause: error });
    }
    this.#length += bytes.length;
    this.#lines++;
  }

  /** A disk that is full took half a line; without it the next record would be joined to it. */
  #cutBack(): void {
    try {
      ftruncateSync(this.#fd, this.#length);
    } catch {
      // The next start cuts it off.
    }
  }

  /** Replaces the whole file by these records, by an atomic rename. @throws PolderError cni-io */
  rewrite(records: readonly JournalRecord[]): void {
    const bytes = Buffer.from(this.#header + records.map(encodeRecord).join(''));
    const before = this.#fd;
    this.#fd = replaceFile(this.path, bytes);
    if (before >= 0) closeSync(before);
    this.#length = bytes.length;
    this.#lines = records.length;
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

const FRESH = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

/** What was begun and failed takes none of the room that a full disk lacks. @returns the new file's descriptor, to append to it */
function replaceFile(path: string, bytes: Uint8Array): number {
  const fresh = `${path}.new`;
  using undo = new DisposableStack();
  try {
    const fd = openSync(fresh, FRESH, 0o600);
    undo.defer(() => rmSync(fresh, { force: true }));
    undo.defer(() => closeSync(fd));
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    renameSync(fresh, path);
    undo.move();
    return fd;
  } catch (error) {
    throw new PolderError('cni-io', { what: `Cannot write ${fresh}: ${reason(error)}` }, { cause: error });
  }
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0);
    throw new PolderError('cni-io', { what: `Cannot read ${path}: ${reason(error)}` }, { cause: error });
  }
}

/** False for an empty file and for a journal of another boot: both begin anew. */
function sameBoot(whole: Buffer, bootId: string, path: string): boolean {
  if (whole.length === 0) return false;
  const header = parse(whole.subarray(0, whole.indexOf(0x0a)).toString());
  if (!isObject(header) || header.polder !== 'cni-journal' || header.version !== FORMAT) {
    throw new PolderError('journal-damaged', { file: path, line: 1 });
  }
  return header.boot === bootId;
}

function replayLines(whole: Buffer, path: string, replay: (record: JournalRecord) => void): number {
  const lines = whole.toString().split('\n').slice(1, -1);
  lines.forEach((line, i) => {
    const record = decodeRecord(line);
    // Not skipped: an allocation that we cannot read is an address that would be given twice.
    if (record === undefined) throw new PolderError('journal-damaged', { file: path, line: i + 2 });
    replay(record);
  });
  return lines.length;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
