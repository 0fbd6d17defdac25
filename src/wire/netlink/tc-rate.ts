/** Rates and bursts of traffic control. Source: linux/pkt_sched.h; the kernel counts a burst as the time that it takes. */

import type { Writer } from '#wire/netlink/writer.ts';

/** Nanoseconds of one tick (/proc/net/psched). */
const TICK_NS = 64;
const NS = 1e9;
const MAX_U32 = 0xffffffff;
/** `enum tc_link_layer`: rates are of whole frames, so the kernel needs no table of them. */
const TC_LINKLAYER_ETHERNET = 1;
/** Of a rate that does not fit into 32 bits an attribute of its own has all 64. */
const LARGE = 2 ** 32;

/** How long the burst takes, in ticks. Longer than 274 s cannot be said. */
export function burstTicks(rate: number, burst: number): number {
  return rate === 0 ? 0 : Math.min(MAX_U32, Math.floor((burst * NS) / rate / TICK_NS));
}

/** Bytes, rounded. */
export function ticksToBurst(rate: number, ticks: number): number {
  return Math.round((rate * ticks * TICK_NS) / NS);
}

/** Whether a burst that was read back is the one that was wanted: alike but for the length of a tick or two. */
export function sameBurst(rate: number, want: number, have: number): boolean {
  return Math.abs(want - have) <= 1 + (2 * rate * TICK_NS) / NS;
}

/** Bytes that may wait so that none waits longer than `latencyMs`, as tc works it out. */
export function limitOfLatency(rate: number, burst: number, latencyMs: number): number {
  return Math.floor((rate * latencyMs) / 1000 + burst);
}

/** `struct tc_ratespec`. */
export function writeRate(writer: Writer, rate: number): void {
  writer.u8(0);
  writer.u8(rate === 0 ? 0 : TC_LINKLAYER_ETHERNET);
  writer.u16(0);
  writer.u16(rate === 0 ? 0 : 0xffff);
  writer.u16(0);
  writer.u32(Math.min(rate, MAX_U32));
}

export const RATE_SIZE = 12;

/** Bytes per second of a `struct tc_ratespec`, unless the attribute of all 64 bits says more. */
export function readRate(view: DataView, at: number, large: number | undefined): number {
  return large ?? view.getUint32(at + 8, true);
}

export function writeLargeRate(writer: Writer, type: number, rate: number): void {
  if (rate >= LARGE) writer.attrU64(type, rate);
}
