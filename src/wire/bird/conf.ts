/**
 * BIRD 2's configuration as a value: what of its language Polder speaks. Printed whole by `print-conf.ts`; never pasted
 * together. Words are BIRD's own (User's Guide, chapters 3 to 6).
 */

import type { Addr, Family } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import type { Filter } from '#wire/bird/filter.ts';

export interface BirdConf {
  /** Written as the constant `polder_conf_<version>`, so that a running daemon can be asked what it has loaded. */
  readonly version: string;
  readonly routerId: Addr;
  readonly hostname: string;
  /** How long a restarted daemon waits for its neighbours' routes before it cleans the kernel, seconds. */
  readonly gracefulRestartWait: number;
  readonly filters: readonly Filter[];
  readonly protocols: readonly Protocol[];
}

/** A filter by name, or everything, or nothing. */
export type FilterRef = { readonly filter: string } | 'all' | 'none';

export interface Channel {
  readonly family: Family;
  readonly import: FilterRef;
  readonly export: FilterRef;
}

export interface BgpChannel extends Channel {
  /** Keep what the import filter rejects, to be looked at. */
  readonly keepFiltered: boolean;
  /** Announce several ways to one network (RFC 7911). */
  readonly addPaths: boolean;
  /** What is announced as the next hop; absent: the session's own rule. */
  readonly nextHop?: 'keep' | 'self';
  /** Next hops are looked up in the routing table, or are on a shared network. */
  readonly gateway: 'recursive' | 'direct';
}

export interface StaticRoute {
  readonly to: Prefix;
  /** Absent: blackhole. */
  readonly via?: Addr;
}

export type Protocol =
  | { readonly kind: 'device'; readonly name: string; readonly scanSeconds: number }
  | {
      readonly kind: 'direct';
      readonly name: string;
      readonly families: readonly Family[];
      /** Patterns of interfaces; one that begins with `-` leaves out. */
      readonly interfaces: readonly string[];
    }
  | KernelProtocol
  | {
      readonly kind: 'static';
      readonly name: string;
      readonly family: Family;
      readonly routes: readonly StaticRoute[];
    }
  | {
      readonly kind: 'bfd';
      readonly name: string;
      readonly intervalMs: number;
      readonly multiplier: number;
    }
  | BgpProtocol;

export interface KernelProtocol {
  readonly kind: 'kernel';
  readonly name: string;
  readonly channel: Channel;
  readonly scanSeconds: number;
  /** Of the kernel's routes; 0 is IPv4's default. */
  readonly metric: number;
  /** Look at the kernel's routes of others, too. */
  readonly learn: boolean;
  /** Leave the routes where they are when the daemon ends. */
  readonly persist: boolean;
  /** Put equal ways to one network into the kernel together. */
  readonly mergePaths: boolean;
}

export interface BgpProtocol {
  readonly kind: 'bgp';
  /** A symbol: letters, digits and `_`. */
  readonly name: string;
  readonly description: string;
  readonly local: { readonly addr?: Addr; readonly port: number; readonly asNumber: number };
  readonly neighbor:
    | { readonly addr: Addr; readonly port: number; readonly asNumber: number }
    /** Whoever of this network calls (only ever listens). */
    | { readonly range: Prefix; readonly port: number; readonly external: true };
  /** `direct`, or how many hops away the neighbour may be (absent number: any). */
  readonly hops: 'direct' | { readonly multihop?: number };
  /** Packets from farther away are dropped (RFC 5082). */
  readonly ttlSecurity: boolean;
  /** TCP MD5 (RFC 2385). */
  readonly password?: string;
  /** The neighbour is a client of this route reflector (RFC 4456). */
  readonly rrClient?: { readonly clusterId: Addr };
  /** How often the own AS may stand in a path that is heard. */
  readonly allowLocalAs?: number;
  readonly bfd: boolean;
  /** Listen at the local address only. */
  readonly strictBind: boolean;
  /** RFC 4724: how long the neighbour keeps our routes while we are away, seconds. Absent: BIRD's 120. */
  readonly gracefulRestartSeconds?: number;
  readonly channels: readonly BgpChannel[];
}
