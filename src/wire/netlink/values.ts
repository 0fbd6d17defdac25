/**
 * What rtnetlink says and is told, as plain values. Interfaces are named by their name, as `ip` does; the handle
 * (`#kernel/netlink`) turns names into indices. Source: linux/rtnetlink.h, if_link.h, neighbour.h, fib_rules.h.
 */

import type { Addr, Family } from '#net/addr.ts';
import type { Mac } from '#net/mac.ts';
import type { IfAddr, Prefix } from '#net/prefix.ts';
import type { TcOp } from '#wire/netlink/tc-values.ts';

/** What an interface is beside its common attributes: IFLA_INFO_KIND and its IFLA_INFO_DATA. */
export type LinkInfo =
  | { readonly kind: 'veth' }
  | {
      readonly kind: 'bridge';
      readonly stp?: boolean;
      readonly vlanFiltering?: boolean;
      /** The VLAN that ports belong to by default, 0 for none; absent where the kernel has no VLAN filtering. */
      readonly vlanDefaultPvid?: number;
    }
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
  | {
      readonly kind: 'macvlan';
      readonly mode: MacvlanMode;
      /** Broadcast packets that may wait, of all interfaces of the parent the longest wish. */
      readonly bcQueueLen?: number;
    }
  | { readonly kind: 'ipvlan'; readonly mode: IpvlanMode; readonly flag: IpvlanFlag }
  | {
      readonly kind: 'vlan';
      /** VLAN identifier, 0 to 4094 (IEEE 802.1Q). */
      readonly id: number;
      readonly protocol: '802.1q' | '802.1ad';
    }
  | {
      readonly kind: 'ipip';
      /** Outer addresses; absent: any, so that each packet's next hop decides (RFC 2003). */
      readonly local?: Addr;
      readonly remote?: Addr;
      /** Of outer headers; 0: the inner packet's. */
      readonly ttl: number;
      /** Sets "don't fragment" in outer headers. */
      readonly pmtuDiscovery: boolean;
    }
  /** Keys and peers are told by generic netlink: see `#wire/wireguard`. */
  | { readonly kind: 'wireguard' }
  | { readonly kind: 'dummy' }
  | { readonly kind: 'ifb' }
  | {
      readonly kind: 'vrf';
      /** The routing table of what is in it. */
      readonly table: number;
    }
  /** Read only: rtnetlink makes none, `#kernel/tap.ts` does. */
  | {
      readonly kind: 'tun';
      readonly mode: 'tun' | 'tap';
      readonly owner?: number;
      readonly group?: number;
      readonly persist: boolean;
      readonly multiQueue: boolean;
    }
  /** A kind that has no row in the codec's table yet, or none at all (`lo`, a physical device: kind ''). */
  | { readonly kind: 'other'; readonly name: string };

export type MacvlanMode = 'private' | 'vepa' | 'bridge' | 'passthru';
export type IpvlanMode = 'l2' | 'l3' | 'l3s';
/** `bridge`: the interfaces of one parent speak with one another. */
export type IpvlanFlag = 'bridge' | 'private' | 'vepa';

/** How IPv6 makes the interface's own link-local address; `none`: not at all. */
export type AddrGenMode = 'eui64' | 'none' | 'stable_secret' | 'random';

/** What a bridge does with one of its ports. */
export interface BridgePort {
  /** Sends packets back where they came from. */
  readonly hairpin: boolean;
  /** Does not speak with other isolated ports. */
  readonly isolated: boolean;
  /** Remembers where packets came from. */
  readonly learning: boolean;
  /** Gets packets to addresses that nobody knows. */
  readonly unicastFlood: boolean;
}

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
  /** Set by somebody's wish; who listens on it with a packet socket counts in `promiscuity` only. */
  readonly promisc?: boolean;
  readonly allmulti?: boolean;
  readonly noArp?: boolean;
  /** How many want everything that comes, if anybody does: the administrator, a bridge, a sniffer. */
  readonly promiscuity?: number;
  /** Packets. */
  readonly txQueueLen?: number;
  /** What the hardware has, whatever `mac` was changed to. */
  readonly permanentMac?: Mac;
  readonly addrGenMode?: AddrGenMode;
  /** Only of a bridge's port. */
  readonly port?: BridgePort;
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
  readonly txQueueLen?: number;
  /** Name of the interface in our own namespace that it stands on (macvlan, ipvlan, vlan). */
  readonly parent?: string;
  /**
   * Makes it in the namespace of this descriptor: nothing that follows in the same batch can name it, and it has no
   * alias. Kernels before 6.14 refuse a name that an interface of our own namespace has (EEXIST).
   */
  readonly netns?: number;
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

/** What most want to know of an interface. */
export interface LinkBrief extends Pick<Link, 'name' | 'index' | 'mtu' | 'up' | 'loopback' | 'mac' | 'alias'> {
  /** The kernel's word: 'bridge', 'veth'; '' for a device. */
  readonly kind: string;
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
  /** IFF_PROMISC. */
  readonly promisc?: boolean;
  /** IFF_ALLMULTI. */
  readonly allmulti?: boolean;
  readonly arp?: boolean;
  /** Packets. */
  readonly txQueueLen?: number;
  readonly addrGenMode?: AddrGenMode;
  /** `net.ipv4.conf.NAME.arp_notify`: coming up it tells its neighbours its addresses. */
  readonly arpNotify?: boolean;
  /**
   * Moves it into the namespace of this descriptor, where it gets `name` if that is said: in one request, also when
   * its present name is taken there. If only `name` is taken it arrives under its present one, and EEXIST is answered.
   */
  readonly netns?: number;
  /** Bridge port attributes (AF_BRIDGE), as in `BridgePort`. */
  readonly hairpin?: boolean;
  readonly isolated?: boolean;
  readonly learning?: boolean;
  readonly unicastFlood?: boolean;
}

/** VLANs that a bridge's port (or, with `self`, the bridge itself) belongs to. Only where the kernel filters VLANs. */
export interface BridgeVlan {
  readonly link: string;
  /** 1 to 4094. */
  readonly vid: number;
  /** The last of a range, itself included. */
  readonly end?: number;
  /** Packets that come in without a tag belong to it. Not of a range. */
  readonly pvid?: boolean;
  /** Packets go out without a tag. */
  readonly untagged?: boolean;
  /** Of the bridge itself rather than of a port. */
  readonly self?: boolean;
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

/** No duplicate address detection: the address can be used at once. */
export const IFA_F_NODAD = 0x02;
/** Another has it. */
export const IFA_F_DADFAILED = 0x08;
/** Still being looked for elsewhere: not to be used yet. */
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
/** Without the route to its network that an address otherwise brings. */
export const IFA_F_NOPREFIXROUTE = 0x200;

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
  /** RTAX_ADVMSS: the segment size that TCP offers the other end, bytes. */
  readonly advmss?: number;
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
  /** Holds for what does not fit (`not`). */
  readonly invert?: boolean;
  readonly from?: Prefix;
  readonly to?: Prefix;
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly inLink?: string;
  readonly outLink?: string;
  readonly protocol?: RouteProtocol;
}

/** One change of the kernel's tables: a value that prints as the line of `ip`, `bridge` or `tc` that does the same. */
export type NetlinkOp =
  | { readonly op: 'link.add'; readonly link: NewLink }
  | { readonly op: 'link.set'; readonly name: string; readonly change: LinkChange }
  | { readonly op: 'link.del'; readonly name: string }
  /** Deletes every interface of a link group in one request. */
  | { readonly op: 'link.delGroup'; readonly group: number }
  | { readonly op: 'bridgeVlan.add' | 'bridgeVlan.del'; readonly vlan: BridgeVlan }
  | { readonly op: 'addr.add' | 'addr.replace' | 'addr.del'; readonly address: Address }
  | { readonly op: 'route.add' | 'route.replace' | 'route.append' | 'route.del'; readonly route: Route }
  | { readonly op: 'neigh.replace' | 'neigh.del'; readonly neighbour: Neighbour }
  | { readonly op: 'fdb.append' | 'fdb.replace' | 'fdb.del'; readonly entry: FdbEntry }
  | { readonly op: 'rule.add' | 'rule.del'; readonly rule: Rule }
  | TcOp;
