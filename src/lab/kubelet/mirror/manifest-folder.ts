/** The folder of a node whose files are its static pods: each file one pod, hidden ones aside. */

import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { podKey, type RunnablePod } from '#lab/kubelet/pod.ts';

/** Files are looked at this long after a change, so that one which is being written is whole, ms. */
const SETTLE_MS = 100;
/** A change may escape the watch, ms. */
const LOOK_MS = 20_000;

export interface ManifestListener {
  /** All pods of the folder, at first and after each change. */
  pods(pods: readonly RunnablePod[]): void;
  /** A file that makes no pod: once for each of its contents. */
  bad(path: string, why: string): void;
}

interface Known {
  readonly text: string;
  readonly seen: string;
  /** Undefined: the file makes none. */
  readonly pod: RunnablePod | undefined;
}

export class ManifestFolder implements Disposable {
  readonly #dir: string;
  readonly #node: string;
  readonly #listener: ManifestListener;
  #known = new Map<string, Known>();
  #told: string | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;
  #watcher: FSWatcher | undefined;
  #settling: NodeJS.Timeout | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(dir: string, node: string, listener: ManifestListener) {
    this.#dir = dir;
    this.#node = node;
    this.#listener = listener;
    this.#look();
    this.#timer = setInterval(() => {
      this.#unwatch(); // the folder may be another by now
      this.#look();
    }, LOOK_MS).unref();
  }

  /** One look after the other. What cannot be begun now (the disk is full) is told again by the next one. */
  #look(): void {
    this.#looking = this.#looking
      .then(() => this.#lookNow())
      .catch((error: unknown) => {
        this.#told = undefined;
        this.#listener.bad(this.#dir, textOfError(error));
      });
  }

  /** Whatever is wrong with one file is no other's business. */
  async #lookNow(): Promise<void> {
    if (this.#closed) return;
    this.#watch();
    const known = new Map<string, Known>();
    for (const name of namesIn(this.#dir)) {
      const path = join(this.#dir, name);
      const text = textOf(path);
      if (text !== undefined) known.set(path, await this.#read(path, text));
    }
    if (this.#closed) return;
    this.#known = known;
    const pods = this.#distinct();
    const told = JSON.stringify(pods.map((pod) => pod.metadata.uid));
    if (told === this.#told) return;
    this.#told = told;
    this.#listener.pods(pods);
  }

  async #read(path: string, text: string): Promise<Known> {
    const known = this.#known.get(path);
    if (known?.text === text) return known;
    const { readStaticPod } = await import('#lab/kubelet/mirror/manifest.ts');
    const seen = new Date().toISOString();
    try {
      return { text, seen, pod: readStaticPod(text, { node: this.#node, path, seen }) };
    } catch (error) {
      this.#listener.bad(path, textOfError(error));
      return { text, seen, pod: undefined };
    }
  }

  /** Of several files with one name the first counts. */
  #distinct(): RunnablePod[] {
    const pods = new Map<string, RunnablePod>();
    for (const { pod } of this.#known.values()) if (pod && !pods.has(podKey(pod))) pods.set(podKey(pod), pod);
    return [...pods.values()];
  }

  /** The folder may come, and go, and come again. */
  #watch(): void {
    if (this.#watcher !== undefined) return;
    try {
      mkdirSync(this.#dir, { recursive: true });
      this.#watcher = watch(this.#dir, () => this.#changed());
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      this.#unwatch(); // the next look tries again
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #changed(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#look(), SETTLE_MS);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#settling);
    clearInterval(this.#timer);
    this.#unwatch();
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch {
    return [];
  }
}

/** Undefined for what is no file, or has just gone. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function textOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
