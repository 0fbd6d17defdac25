/** What a node's BGP speaker must do: the one value that `bird.conf` is written from, whole. */

import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import type { BgpFilter, NextHopMode, PrefixAdvertisement, SecretKey } from '#spec/bgp.ts';
import type { EncapsulationMode } from '#spec/pool.ts';

export interface BgpState {
  /** This node's name. */
  readonly node: string;
  /** Its IPv4 address; without one a number that follows from its name (RFC 6286). */
  readonly routerId: Addr;
  readonly asNumber: number;
  /** TCP port. */
  readonly listenPort: number;
  /** Listen at the node's addresses only. */
  readonly strictBind: boolean;
  /** Sorted by name. */
  readonly sessions: readonly BgpSession[];
  /** Networks that this node says lead to it: its blocks, addresses that it borrowed, Services' networks. Sorted. */
  readonly announced: readonly Prefix[];
  /** By name. */
  readonly pools: readonly BgpPool[];
  /** Networks to which the agent makes the routes for now, whatever their pool: the cluster changes over. Sorted. */
  readonly held: readonly Prefix[];
  /** What is on-link: towards next hops there 'cross-subnet' does not encapsulate. */
  readonly subnets: readonly Prefix[];
  /** Communities that go with what lies in their networks. */
  readonly communities: readonly PrefixAdvertisement[];
  /** The BGPFilters that sessions name. */
  readonly filters: readonly BgpFilter[];
  /** Interfaces whose networks are not to be reckoned with: patterns. */
  readonly ignoredInterfaces: readonly string[];
}

/** What routes inside a pool's network need. */
export interface BgpPool {
  readonly name: string;
  readonly cidr: Prefix;
  /** Whether peers are told of it. */
  readonly exported: boolean;
  /** Who puts its routes into the kernel. Those of VXLAN need neighbours and forwarding entries, so they are the agent's. */
  readonly kernel: 'agent' | 'bird';
  /** The IPIP device that its routes lead over, and when; absent: never. */
  readonly tunnel?: { readonly device: string; readonly when: Exclude<EncapsulationMode, 'never'> };
}

/** Calico's words (`calicoctl node status`, PEER TYPE). */
export type PeerType = 'node-to-node mesh' | 'node specific' | 'global';

export interface BgpSession {
  /** Of BIRD's protocol: `Mesh_192_168_1_102`. */
  readonly name: string;
  readonly type: PeerType;
  /** What asks for it: `node node2`, `BGPPeer tor`. */
  readonly origin: string;
  readonly addr: Addr;
  /** TCP port of the peer. */
  readonly port: number;
  readonly asNumber: number;
  /** Source address of the connection; absent: as the kernel chooses. */
  readonly local?: Addr;
  readonly password?: SecretKey;
  /** The peer is a client of this route reflector. */
  readonly rrClusterId?: Addr;
  /** The AS number that this node has here; absent: its own. */
  readonly localAsNumber?: number;
  readonly nextHop: NextHopMode;
  /** Seconds. */
  readonly maxRestartSeconds?: number;
  readonly numAllowedLocalAsNumbers?: number;
  /** Hops away at most (RFC 5082). */
  readonly ttlSecurity?: number;
  readonly reachableBy?: Addr;
  /** Only for a peer on a shared subnet (Calico's BFDIfDirectlyConnected). */
  readonly bfd: boolean;
  /** Names, in their order. */
  readonly filters: readonly string[];
}

/** Whether the peer is of the node's own AS (iBGP). */
export function isInternal(
  { asNumber }: Pick<BgpState, 'asNumber'>,
  session: Pick<BgpSession, 'asNumber' | 'localAsNumber'>,
): boolean {
  return session.asNumber === (session.localAsNumber ?? asNumber);
}
