/** Where in its life a lease is (RFC 2131 §4.4.5). Pure. */

import type { LeaseRecord } from '#cni/dhcp/record.ts';

export type Phase = 'bound' | 'renewing' | 'rebinding' | 'expired';

/** The phase at `now`, and when it ends. By the clock of `asked`, milliseconds; Infinity: never. */
export function phaseOf({ lease: { times }, asked }: LeaseRecord, now: number): { phase: Phase; ends: number } {
  if (!times) return { phase: 'bound', ends: Number.POSITIVE_INFINITY };
  const at = (seconds: number) => asked + seconds * 1000;
  if (now < at(times.renew)) return { phase: 'bound', ends: at(times.renew) };
  if (now < at(times.rebind)) return { phase: 'renewing', ends: at(times.rebind) };
  if (now < at(times.seconds)) return { phase: 'rebinding', ends: at(times.seconds) };
  return { phase: 'expired', ends: Number.POSITIVE_INFINITY };
}

const SHORTEST_RETRY_MS = 60_000;

/** How long to wait for another try: half of what is left of the phase, a minute at least, but not past its end. */
export function retryAfter(ends: number, now: number): number {
  const left = Math.max(0, ends - now);
  return Math.min(left, Math.max(left / 2, SHORTEST_RETRY_MS));
}
