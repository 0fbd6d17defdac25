/** Whether a node that has begun to speak has by now heard what the others have to say. */

import type { BgpState } from '#calc/bgp/state.ts';
import { type Clock, systemClock } from '#feed/clock.ts';
import type { BirdKeeper } from '#sync/bird.ts';
import { readProtocols } from '#wire/bird/show-protocols.ts';
import { readStatus } from '#wire/bird/show-status.ts';

/** Sessions that are not up after this long, ms, wait for somebody who is not there: what can be heard has been. */
const PATIENCE_MS = 15_000;
const LOOK_MS = 200;

export class SessionsUp {
  readonly #keeper: Pick<BirdKeeper, 'control' | 'trouble'>;
  readonly #onSettled: () => void;
  readonly #clock: Clock;
  #expected: BgpState | undefined;
  #settled = false;
  #wake = new AbortController();

  constructor(keeper: Pick<BirdKeeper, 'control' | 'trouble'>, onSettled: () => void, clock: Clock = systemClock) {
    this.#keeper = keeper;
    this.#onSettled = onSettled;
    this.#clock = clock;
  }

  /** Undefined: nothing is to be waited for. */
  expect(state: BgpState | undefined): void {
    this.#expected = state;
    if (state === undefined) this.#settled = false;
    this.#wake.abort();
  }

  /** Stays so while the node speaks. */
  get settled(): boolean {
    return this.#expected === undefined || this.#settled;
  }

  /** Until the signal ends it. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake.abort(), { once: true });
    while (!signal.aborted) {
      if (!this.settled) await this.#wait(signal);
      this.#wake = new AbortController();
      if (this.settled && !signal.aborted) await this.#clock.sleep(60_000, this.#wake.signal);
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    let until = this.#clock.now() + PATIENCE_MS;
    while (!signal.aborted && this.#expected && !(await this.#allUp(this.#expected))) {
      if (this.#keeper.trouble !== undefined) until = this.#clock.now() + PATIENCE_MS;
      if (this.#clock.now() > until) break;
      await this.#clock.sleep(LOOK_MS, signal);
    }
    if (signal.aborted || !this.#expected) return;
    this.#settled = true;
    this.#onSettled();
  }

  /** A session that BIRD does not know yet is not up, and in graceful restart nothing is told. */
  async #allUp({ sessions }: BgpState): Promise<boolean> {
    const { control } = this.#keeper;
    try {
      if (!control || readStatus(await control.ask('show status')).gracefulRestart) return false;
      const states = new Map(readProtocols(await control.ask('show protocols')).map(({ name, info }) => [name, info]));
      return sessions.every(({ name }) => /^Established/.test(states.get(name) ?? ''));
    } catch {
      return false; // it has just ended
    }
  }
}
