/** When to sync: at once when told, again soon after a failure, and from time to time in any case. */

import { Backoff } from '#feed/backoff.ts';
import { type Clock, systemClock } from '#feed/clock.ts';
import type { PassReport } from '#sync/pass.ts';

export interface LoopOptions {
  /** One pass; undefined while there is nothing to aim at. */
  readonly pass: () => Promise<PassReport | undefined>;
  /** Told of each pass that had something to aim at. */
  readonly onReport?: (report: PassReport) => void;
  /** Told when a pass throws, which it does only when the kernel cannot even be read. */
  readonly onError?: (error: unknown) => void;
  readonly clock?: Clock;
  /** Between passes when nothing happens, ms; spread by a tenth. Mends what no event told of. */
  readonly resyncMs?: number;
  /** Least time between two passes, ms: a storm of events costs one pass each time. */
  readonly gapMs?: number;
}

const RETRY = { firstMs: 250, maxMs: 30_000 };

/** Runs passes, one at a time. */
export class SyncLoop {
  readonly #options: LoopOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #dirty = true;
  #wake = new AbortController();

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff(RETRY, () => this.#clock.random());
  }

  /** Something may have changed: a pass follows, the first at once, more of them no denser than the gap. */
  trigger(): void {
    this.#dirty = true;
    this.#wake.abort();
  }

  /** Until the signal ends it. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake.abort(), { once: true });
    while (!signal.aborted) {
      this.#dirty = false;
      const waitMs = await this.#pass();
      await this.#clock.sleep(this.#options.gapMs ?? 50, signal);
      await this.#pause(waitMs, signal);
    }
  }

  /** @returns how long to wait for the next one, ms. */
  async #pass(): Promise<number> {
    try {
      const report = await this.#options.pass();
      if (report) this.#options.onReport?.(report);
      if (report && !isClean(report)) return this.#backoff.next();
      this.#backoff.reset();
      return (this.#options.resyncMs ?? 60_000) * (0.9 + 0.2 * this.#clock.random());
    } catch (error) {
      this.#options.onError?.(error);
      return this.#backoff.next();
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    if (this.#dirty || signal.aborted) return;
    await this.#clock.sleep(ms, this.#wake.signal);
  }
}

/** The kernel is as wanted, as far as it lies with us. */
export function isClean({ failures, left }: PassReport): boolean {
  return failures.length === 0 && left.length === 0;
}
