/**
 * What rtnetlink says and is told, as plain values. Interfaces are named by their name, as `ip` does; the handle
 * (`#kernel/netlink`) turns names into indices. Source: linux/rtnetlink.h, if_link.h, neighbour.h, fib_rules.h.
 */

import type { Addr, Family } from '#net/addr.ts';
import type { Mac } from '#net/mac.ts';
import type { IfAddr, Prefix } from '#net/prefix.ts';

/** What an interface is beside its common attributes: IFLA_INFO_KIND and its IFLA_INFO_DATA. */
export type LinkInfo =
  | { readonly kind: 'veth' }
  | { readonly kind: 'bridge'; readonly stp?: boolean; readonly vlanFiltering?: boolean }
  | {
      readonly kind: 'vxlan';
      /** VXLAN network identifier, 24 bits (RFC 7348). */
      readonly vni: number;
      /** UDP destination port. */
      readonly port: number;
      /** Address that outer headers come from. */
      readonly local?: Addr;
      /** Name of the interface that carries the outer packets. */
      readonly underlay?: string;
      readonly learning: boolean;
    }
  /** A kind that has no row in the codec's table yet, or none at all (`lo`, a physical device: kind ''). */
  | { readonly kind: 'other'; readonly name: string };

/** An interface as the kernel reports it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly mac?: Mac;
  /** Bytes. */
  readonly mtu: number;
  /** IFF_UP: the administrator's wish. */
  readonly up: boolean;
  /** IFF_LOWER_UP: there is a carrier. */
  readonly lowerUp: boolean;
  readonly loopback: boolean;
  /** Index of the bridge (or other master) that it belongs to. */
  readonly master?: number;
  /** Index of the device below (or of a veth's peer), in the namespace `peerNetnsId` if that is set. */
  readonly parent?: number;
  readonly peerNetnsId?: number;
  readonly alias?: string;
  /** IFLA_GROUP, 0 unless set. */
  readonly group: number;
  readonly info: LinkInfo;
}

/** What an interface is to be made as. Absent attributes are left to the kernel. */
export interface NewLink {
  readonly name: string;
  readonly info: LinkInfo;
  readonly mac?: Mac;
  readonly mtu?: number;
  readonly up?: boolean;
  /** Name of the bridge that it joins. */
  readonly master?: string;
  readonly alias?: string;
  readonly group?: number;
  /** Transmit and receive queues, of both ends of a veth; the kernel's default is one of each for every CPU. */
  readonly queues?: number;
  /**
   * Only for veth: the other end, made directly in the namespace of descriptor `netns` (in our own if absent).
   * It is down: the kernel makes it before there is a pair, and refuses to set half a pair up.
   */
  readonly peer?: {
    readonly name: string;
    readonly mac?: Mac;
    readonly mtu?: number;
    readonly group?: number;
    readonly netns?: number;
  };
}

/** Changes of an existing interface; only what is present changes. */
export interface LinkChange {
  readonly name?: string;
  readonly mac?: Mac;
  readonly mtu?: number;
  readonly up?: boolean;
  /** Name of the new master; '' leaves the present one. */
  readonly master?: string;
  readonly alias?: string;
  readonly group?: number;
  /** Moves it into the namespace of this descriptor. */
  readonly netns?: number;
  /** Bridge port attributes (AF_BRIDGE). */
  readonly hairpin?: boolean;
  readonly isolated?: boolean;
}

/** An address on an interface. */
export interface Address {
  readonly link: string;
  readonly address: IfAddr;
  readonly broadcast?: Addr;
  readonly scope: Scope;
  /** IFA_F_NODAD etc. as the kernel's flag bits. */
  readonly flags?: number;
}

export type Scope = 'global' | 'site' | 'link' | 'host' | 'nowhere';

/** Names of route protocol numbers that Polder meets (iproute2's rt_protos, plus our own). */
export type RouteProtocol = number;
export const PROTO_KERNEL = 2;
export const PROTO_BOOT = 3;
export const PROTO_STATIC = 4;
export const PROTO_BIRD = 12;
/** Routes that Polder's agent owns. No well-known daemon uses this number. */
export const PROTO_POLDER = 77;

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'
  | 'multicast'
  | 'anycast';

export interface NextHop {
  readonly via?: Addr;
  readonly link?: string;
  readonly onlink?: boolean;
  /** 1 to 256. */
  readonly weight?: number;
}

export interface Route {
  readonly to: Prefix;
  readonly type: RouteType;
  /** 254 is `main`. */
  readonly table: number;
  readonly protocol: RouteProtocol;
  readonly scope: Scope;
  readonly source?: Addr;
  readonly metric?: number;
  /** RTAX_MTU, bytes. */
  readonly mtu?: number;
  /** None for blackhole and its like; several make a multipath route. */
  readonly hops: readonly NextHop[];
}

export const TABLE_MAIN = 254;

/** Neighbour states (NUD_*), as bits. */
export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

/** An ARP or NDP entry. */
export interface Neighbour {
  readonly link: string;
  readonly addr: Addr;
  readonly mac?: Mac;
  readonly state: number;
}

/** A forwarding entry of a bridge or a VXLAN device (AF_BRIDGE neighbour). */
export interface FdbEntry {
  readonly link: string;
  readonly mac: Mac;
  /** VXLAN: the remote node. */
  readonly dst?: Addr;
  readonly state: number;
  /** NTF_SELF 2, NTF_MASTER 4, as bits. */
  readonly flags: number;
}

/** A routing policy rule. */
export interface Rule {
  readonly family: Family;
  readonly priority: number;
  readonly table: number;
  readonly from?: Prefix;
  readonly to?: Prefix;
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly inLink?: string;
  readonly outLink?: string;
  readonly protocol?: RouteProtocol;
}

/** One change of the kernel's tables: a value that prints as the line of `ip` or `bridge` that does the same. */
export type NetlinkOp =
  | { readonly op: 'link.add'; readonly link: NewLink }
  | { readonly op: 'link.set'; readonly name: string; readonly change: LinkChange }
  | { readonly op: 'link.del'; readonly name: string }
  /** Deletes every interface of a link group in one request. */
  | { readonly op: 'link.delGroup'; readonly group: number }
  | { readonly op: 'addr.add' | 'addr.replace' | 'addr.del'; readonly address: Address }
  | { readonly op: 'route.add' | 'route.replace' | 'route.append' | 'route.del'; readonly route: Route }
  | { readonly op: 'neigh.replace' | 'neigh.del'; readonly neighbour: Neighbour }
  | { readonly op: 'fdb.append' | 'fdb.replace' | 'fdb.del'; readonly entry: FdbEntry }
  | { readonly op: 'rule.add' | 'rule.del'; readonly rule: Rule };
