/**
 * Keys that wait for work: each at most once, never two workers on one, and again later after a failure.
 *
 * A key that is added while it is worked on is worked on once more afterwards, since the world may have changed in
 * between.
 */

import { Backoff, type BackoffLimits } from '#feed/backoff.ts';
import type { Clock } from '#feed/clock.ts';

const RETRY: BackoffLimits = { firstMs: 10, maxMs: 30_000 };

export class WorkQueue {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #ready = new Set<string>();
  readonly #busy = new Set<string>();
  readonly #dirty = new Set<string>();
  readonly #failures = new Map<string, Backoff>();
  /** When each delayed key is due; a sooner one takes the place of a later one. */
  readonly #due = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    signal.addEventListener(
      'abort',
      () => {
        for (const wake of this.#waiting.splice(0)) wake();
      },
      { once: true },
    );
  }

  get length(): number {
    return this.#ready.size;
  }

  add(key: string): void {
    this.#due.delete(key);
    if (this.#busy.has(key)) this.#dirty.add(key);
    else this.#ready.add(key);
    this.#waiting.shift()?.();
  }

  addAfter(key: string, ms: number): void {
    const at = this.#clock.now() + ms;
    if ((this.#due.get(key) ?? Number.POSITIVE_INFINITY) <= at) return;
    this.#due.set(key, at);
    void this.#clock.sleep(ms, this.#signal).then(() => {
      if (!this.#signal.aborted && this.#due.get(key) === at) this.add(key);
    });
  }

  /** It failed: again after a time that doubles with each failure. Returns that time, ms. */
  retry(key: string): number {
    const backoff = this.#failures.get(key) ?? new Backoff(RETRY, () => this.#clock.random());
    this.#failures.set(key, backoff);
    const ms = backoff.next();
    this.addAfter(key, ms);
    return ms;
  }

  /** It went well: the next failure is a first one. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, which is then busy until `done`; undefined when the signal has ended the queue. */
  async take(): Promise<string | undefined> {
    while (!this.#signal.aborted) {
      for (const key of this.#ready) {
        this.#ready.delete(key);
        this.#busy.add(key);
        return key;
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    return undefined;
  }

  done(key: string): void {
    this.#busy.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
  }
}
