/** Time and chance, handed in so that tests own them. */

import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** ms since 1970. */
  now(): number;
  /** Returns early, without an error, when the signal ends it. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** From 0 to below 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  },
  random: () => Math.random(),
};
