/** For tests: a clock that moves only when told, and an API in memory that can be cut off. */

import { ApiError, ApiUnreachable } from '#feed/api-error.ts';
import type { WatchEvent } from '#feed/client.ts';
import type { Clock } from '#feed/clock.ts';
import type { ListWatch } from '#feed/reflector.ts';
import { type KubeList, type KubeObject, keyOf } from '#spec/k8s.ts';

/** Time stands still until `advance`; sleepers wake in order. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = {
        at: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake, { once: true });
      if (signal?.aborted) sleeper.wake();
    });
  }

  /** ms from now at which each sleeper wakes, soonest first. */
  get sleeping(): number[] {
    return [...this.#sleepers].map((s) => s.at - this.#now).sort((a, b) => a - b);
  }

  /** Moves time and lets everything that wakes, and what follows from it, run. */
  async advance(ms: number): Promise<void> {
    await settle();
    this.#now += ms;
    for (const sleeper of [...this.#sleepers]) if (sleeper.at <= this.#now) sleeper.wake();
    await settle();
  }
}

/** Lets every promise that can go on do so. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

type Listener<T extends KubeObject> = (event: WatchEvent<T> | Error) => void;

/** One resource as an API server would keep it: versions, a history that can be compacted, watches that can be broken. */
export class FakeApi<T extends KubeObject> implements ListWatch<T> {
  readonly name = 'fake';
  readonly calls: string[] = [];
  readonly #objects = new Map<string, T>();
  readonly #history: { readonly version: number; readonly event: WatchEvent<T> }[] = [];
  readonly #listeners = new Set<Listener<T>>();
  #version = 0;
  #compacted = 0;
  #down = false;

  get version(): string {
    return String(this.#version);
  }

  /** Stores the object under the next version, which it gets, and returns it. */
  put(object: T): T {
    const version = ++this.#version;
    const stored = { ...object, metadata: { uid: keyOf(object), ...object.metadata, resourceVersion: `${version}` } };
    const type = this.#objects.has(keyOf(object)) ? 'MODIFIED' : 'ADDED';
    this.#objects.set(keyOf(object), stored);
    this.#emit(version, { type, object: stored });
    return stored;
  }

  remove(key: string): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    const version = ++this.#version;
    this.#objects.delete(key);
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: `${version}` } };
    this.#emit(version, { type: 'DELETED', object: last });
  }

  bookmark(): void {
    for (const listener of [...this.#listeners]) listener({ type: 'BOOKMARK', resourceVersion: this.version });
  }

  /** Forgets what watches could resume from. */
  compact(): void {
    this.#compacted = this.#version;
  }

  /** From now on nothing answers, and what is open breaks; `up` mends it. */
  down(): void {
    this.#down = true;
    this.breakWatches();
  }

  up(): void {
    this.#down = false;
  }

  breakWatches(): void {
    for (const listener of [...this.#listeners]) listener(new ApiUnreachable('watch', new Error('connection reset')));
  }

  async list(): Promise<KubeList<T>> {
    this.calls.push('list');
    if (this.#down) throw new ApiUnreachable('list', new Error('connection refused'));
    return { metadata: { resourceVersion: this.version }, items: [...this.#objects.values()] };
  }

  async *watch(resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
    this.calls.push(`watch ${resourceVersion}`);
    if (this.#down) throw new ApiUnreachable('watch', new Error('connection refused'));
    if (Number(resourceVersion) < this.#compacted) throw new ApiError('watch', { kind: 'Status', code: 410 });
    const queue: (WatchEvent<T> | Error)[] = [];
    let wake = () => {};
    for (const { version, event } of this.#history) if (version > Number(resourceVersion)) queue.push(event);
    const listener: Listener<T> = (event) => {
      queue.push(event);
      wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => wake(), { once: true });
    try {
      while (!signal.aborted) {
        const event = queue.shift();
        if (event instanceof Error) throw event;
        if (event !== undefined) yield event;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  #emit(version: number, event: WatchEvent<T>): void {
    this.#history.push({ version, event });
    for (const listener of [...this.#listeners]) listener(event);
  }
}
