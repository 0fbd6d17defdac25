/** What the cluster says of BGP, as plain values: Calico v3's BGPConfiguration, BGPPeer and BGPFilter. */

import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';

/** RFC 6793; 4294967295 is reserved (RFC 7300), 0 too (RFC 7607). */
export const MAX_AS_NUMBER = 4_294_967_294;

/** A community that goes with the advertised prefixes inside `cidr`: `65001:100` or `65001:1:2` (RFC 1997, RFC 8092). */
export interface PrefixAdvertisement {
  readonly cidr: Prefix;
  readonly communities: readonly string[];
}

/** Settings of every node's speaker, or of one node's where an object `node.NAME` says otherwise. */
export interface BgpConfiguration {
  /** 1 to `MAX_AS_NUMBER`. */
  readonly asNumber: number;
  /** Each node speaks with each other one. */
  readonly mesh: boolean;
  /** TCP port. */
  readonly listenPort: number;
  /** Whether the speaker listens at the node's address only. */
  readonly bindMode: 'None' | 'NodeIP';
  /** Graceful restart time of the mesh's sessions, seconds. */
  readonly meshMaxRestartSeconds?: number;
  /** Password of the mesh's sessions: a key of a Secret. */
  readonly meshPassword?: SecretKey;
  readonly serviceClusterIps: readonly Prefix[];
  readonly serviceExternalIps: readonly Prefix[];
  readonly serviceLoadBalancerIps: readonly Prefix[];
  readonly prefixAdvertisements: readonly PrefixAdvertisement[];
  readonly ignoredInterfaces: readonly string[];
}

/** The next hop that a peer is told: as BIRD has it by default, the one that was heard, or always this node. */
export type NextHopMode = 'auto' | 'keep' | 'self';

/** Where a password stands; its value never is part of a snapshot. */
export interface SecretKey {
  readonly name: string;
  readonly key: string;
}

export interface BgpPeer {
  readonly name: string;
  /** The one node that it is for. */
  readonly node?: string;
  /** Calico's selector over labels of the nodes that it is for; absent and no `node`: all. */
  readonly nodeSelector?: string;
  /** Other nodes to speak with, as a selector; in place of `peerIp`. */
  readonly peerSelector?: string;
  readonly peerIp?: Addr;
  /** TCP port of the peer; absent: 179. */
  readonly peerPort?: number;
  readonly asNumber?: number;
  /** In place of the node's own AS number on this session; with `peerSelector` on both sides of it. */
  readonly localAsNumber?: number;
  /** Whether nodes that `peerSelector` chooses speak with those it is for without a BGPPeer of their own; absent: they do. */
  readonly reversePeering?: 'auto' | 'manual';
  readonly nextHop: NextHopMode;
  readonly password?: SecretKey;
  readonly sourceAddress: 'UseNodeIP' | 'None';
  /** Graceful restart time, seconds. */
  readonly maxRestartSeconds?: number;
  readonly numAllowedLocalAsNumbers?: number;
  /** Hops away at most (RFC 5082). */
  readonly ttlSecurity?: number;
  /** Whether BFD (RFC 5880) watches over the way to the peer; it is quicker than BGP, and wins over graceful restart. */
  readonly failureDetection?: 'bfd';
  /** A static route to the peer goes by this gateway. */
  readonly reachableBy?: Addr;
  /** Names of BGPFilters, applied in order. */
  readonly filters: readonly string[];
}

export interface BgpFilterRule {
  readonly action: 'Accept' | 'Reject';
  readonly cidr?: Prefix;
  readonly matchOperator?: 'Equal' | 'NotEqual' | 'In' | 'NotIn';
  /** Lengths that a prefix inside `cidr` may have. */
  readonly prefixLength?: { readonly min?: number; readonly max?: number };
  readonly source?: 'RemotePeers';
  readonly interface?: string;
}

export interface BgpFilter {
  readonly name: string;
  readonly exportV4: readonly BgpFilterRule[];
  readonly importV4: readonly BgpFilterRule[];
  readonly exportV6: readonly BgpFilterRule[];
  readonly importV6: readonly BgpFilterRule[];
}

export interface BgpSettings {
  readonly configuration: BgpConfiguration;
  /** What single nodes have otherwise, by name of the node. */
  readonly nodes: Readonly<Record<string, Partial<BgpConfiguration>>>;
  /** By name. */
  readonly peers: readonly BgpPeer[];
  /** By name. */
  readonly filters: readonly BgpFilter[];
}

/** Calico's defaults: what holds without a BGPConfiguration. */
export const DEFAULT_BGP_CONFIGURATION: BgpConfiguration = {
  asNumber: 64_512,
  mesh: true,
  listenPort: 179,
  bindMode: 'None',
  serviceClusterIps: [],
  serviceExternalIps: [],
  serviceLoadBalancerIps: [],
  prefixAdvertisements: [],
  ignoredInterfaces: [],
};

export const DEFAULT_BGP: BgpSettings = {
  configuration: DEFAULT_BGP_CONFIGURATION,
  nodes: {},
  peers: [],
  filters: [],
};
