/**
 * The clock by which leases are counted: milliseconds since the machine was started, also those in which it slept
 * (CLOCK_BOOTTIME). The wall clock may be set: a step ahead would end leases that are good still, one back would renew them
 * too late. What is written down by this clock must not outlive the machine: leases lie in /run.
 */

import { uptime } from 'node:os';

/** To a hundredth of a second. */
export function bootNow(): number {
  return Math.round(uptime() * 1000);
}

/** When it was at a moment of the wall clock, by what that shows now. */
export function bootTimeOf(wallMs: number): number {
  const now = bootNow();
  const age = Date.now() - wallMs;
  return now - Math.min(Math.max(age, 0), now);
}
