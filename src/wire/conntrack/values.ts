/** Tracked connections as plain values. Source: linux/netfilter/nfnetlink_conntrack.h, conntrack(8). */

import type { Addr, Family } from '#net/addr.ts';

export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_SCTP = 132;

/** How packets of one direction look. */
export interface Tuple {
  /** IPPROTO_*. */
  readonly protocol: number;
  readonly source: Addr;
  readonly destination: Addr;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** In the place of ports. */
  readonly icmp?: { readonly id: number; readonly type: number; readonly code: number };
}

export interface Connection {
  /** As it was begun, before any translation. */
  readonly original: Tuple;
  /** What answers look like: its source is where the packets really go. */
  readonly reply: Tuple;
  /** Tells it from a later one of the same tuples. */
  readonly id: number;
  readonly mark?: number;
  readonly zone?: number;
}

/** All that is said must fit. */
export interface ConnectionFilter {
  readonly family?: Family;
  readonly protocol?: number;
  /** Of the packets that began it. */
  readonly source?: Addr;
  readonly destination?: Addr;
  readonly destinationPort?: number;
  /** Where the packets really go. */
  readonly replySource?: Addr;
  readonly replySourcePort?: number;
}
