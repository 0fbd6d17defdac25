/**
 * Calico v3's objects that Polder reads and writes, as they stand in JSON; narrow, like `k8s.ts`. They are read in the
 * stored form `crd.projectcalico.org/v1`, which every cluster with Calico's definitions has.
 */

import { type KubeObject, type Resource, resource } from '#spec/k8s.ts';

export interface IpPool extends KubeObject {
  readonly spec?: {
    readonly cidr?: string;
    readonly blockSize?: number;
    readonly ipipMode?: string;
    readonly vxlanMode?: string;
    readonly natOutgoing?: boolean;
    readonly disabled?: boolean;
    readonly disableBGPExport?: boolean;
    readonly nodeSelector?: string;
    readonly namespaceSelector?: string;
    readonly allowedUses?: readonly string[];
    readonly assignmentMode?: string;
  };
}

export interface FelixConfiguration extends KubeObject {
  readonly spec?: {
    readonly ipipMTU?: number;
    readonly vxlanMTU?: number;
    readonly vxlanMTUV6?: number;
    readonly vxlanPort?: number;
    readonly vxlanVNI?: number;
    readonly wireguardEnabled?: boolean;
    readonly wireguardEnabledV6?: boolean;
    readonly wireguardHostEncryptionEnabled?: boolean;
    readonly wireguardListeningPort?: number;
    readonly wireguardListeningPortV6?: number;
    readonly wireguardInterfaceName?: string;
    readonly wireguardInterfaceNameV6?: string;
    readonly wireguardMTU?: number;
    readonly wireguardMTUV6?: number;
    /** A duration: `25s`. */
    readonly wireguardKeepAlive?: string;
    readonly wireguardRoutingRulePriority?: number;
  };
}

/** A key of a Secret in the system's namespace. */
export interface SecretReference {
  readonly secretKeyRef?: { readonly name?: string; readonly key?: string };
}

interface BgpBlock {
  readonly cidr?: string;
}

export interface BgpConfigurationObject extends KubeObject {
  readonly spec?: {
    /** A number, or asdot text. */
    readonly asNumber?: number | string;
    readonly nodeToNodeMeshEnabled?: boolean;
    readonly listenPort?: number;
    readonly bindMode?: string;
    /** A duration. */
    readonly nodeMeshMaxRestartTime?: string;
    readonly nodeMeshPassword?: SecretReference;
    readonly serviceClusterIPs?: readonly BgpBlock[];
    readonly serviceExternalIPs?: readonly BgpBlock[];
    readonly serviceLoadBalancerIPs?: readonly BgpBlock[];
    /** Names for communities. */
    readonly communities?: readonly { readonly name?: string; readonly value?: string }[];
    readonly prefixAdvertisements?: readonly { readonly cidr?: string; readonly communities?: readonly string[] }[];
    readonly ignoredInterfaces?: readonly string[];
  };
}

export interface BgpPeerObject extends KubeObject {
  readonly spec?: {
    readonly node?: string;
    readonly nodeSelector?: string;
    readonly peerSelector?: string;
    readonly localWorkloadSelector?: string;
    /** `10.0.0.1`, `10.0.0.1:1790`, `[fd00::1]:1790`. */
    readonly peerIP?: string;
    readonly asNumber?: number | string;
    readonly keepOriginalNextHop?: boolean;
    readonly nextHopMode?: string;
    readonly localASNumber?: number | string;
    readonly reversePeering?: string;
    readonly password?: SecretReference;
    readonly sourceAddress?: string;
    /** A duration. */
    readonly maxRestartTime?: string;
    readonly numAllowedLocalASNumbers?: number;
    readonly ttlSecurity?: number;
    readonly failureDetectionMode?: string;
    readonly reachableBy?: string;
    readonly filters?: readonly string[];
  };
}

export interface BgpFilterRuleObject {
  readonly action?: string;
  readonly cidr?: string;
  readonly matchOperator?: string;
  readonly prefixLength?: { readonly min?: number; readonly max?: number };
  readonly source?: string;
  readonly interface?: string;
}

export interface BgpFilterObject extends KubeObject {
  readonly spec?: {
    readonly exportV4?: readonly BgpFilterRuleObject[];
    readonly importV4?: readonly BgpFilterRuleObject[];
    readonly exportV6?: readonly BgpFilterRuleObject[];
    readonly importV6?: readonly BgpFilterRuleObject[];
  };
}

export interface IpReservation extends KubeObject {
  readonly spec?: { readonly reservedCIDRs?: readonly string[] };
}

export interface IpamConfig extends KubeObject {
  readonly spec?: {
    readonly strictAffinity?: boolean;
    readonly autoAllocateBlocks?: boolean;
    readonly maxBlocksPerHost?: number;
  };
}

/** What an address was given for; several addresses of a block may share one entry. */
export interface AllocationAttribute {
  readonly handle_id?: string;
  /** `node`, `pod`, `namespace`, `timestamp`; `type` for addresses of tunnel devices. */
  readonly secondary?: Readonly<Record<string, string>>;
}

export interface IpamBlock extends KubeObject {
  readonly spec: {
    readonly cidr: string;
    /** `host:node1`; absent: it belongs to nobody. */
    readonly affinity?: string;
    /** An entry an address: null, or the index of its attribute. */
    readonly allocations: readonly (number | null)[];
    /** Free addresses in the order in which they are to be given: freed ones go to the end. */
    readonly unallocated: readonly number[];
    readonly attributes: readonly AllocationAttribute[];
    /** Counts the writes. */
    readonly sequenceNumber?: number;
    /** Ordinal -> the block's sequence number when it was given. */
    readonly sequenceNumberForAllocation?: Readonly<Record<string, number>>;
    readonly deleted?: boolean;
    readonly strictAffinity?: boolean;
  };
}

/** `pending` before the block is made, `confirmed` when it is the node's, `pendingDeletion` before it is given back. */
export type AffinityState = 'pending' | 'confirmed' | 'pendingDeletion';

export interface BlockAffinity extends KubeObject {
  readonly spec: {
    readonly state: AffinityState;
    readonly node: string;
    readonly cidr: string;
    readonly deleted?: string;
    readonly type?: string;
  };
}

export interface IpamHandle extends KubeObject {
  readonly spec: {
    readonly handleID: string;
    /** Network of a block -> how many addresses of it the handle has. */
    readonly block: Readonly<Record<string, number>>;
    readonly deleted?: boolean;
  };
}

function stored<T extends KubeObject>(kind: string, plural: string): Resource<T> {
  return resource<T>('crd.projectcalico.org', 'v1', kind, plural, false);
}

export const IP_POOLS: Resource<IpPool> = stored('IPPool', 'ippools');
export const FELIX_CONFIGURATIONS: Resource<FelixConfiguration> = stored('FelixConfiguration', 'felixconfigurations');
export const BGP_CONFIGURATIONS: Resource<BgpConfigurationObject> = stored('BGPConfiguration', 'bgpconfigurations');
export const BGP_PEERS: Resource<BgpPeerObject> = stored('BGPPeer', 'bgppeers');
export const BGP_FILTERS: Resource<BgpFilterObject> = stored('BGPFilter', 'bgpfilters');
export const IP_RESERVATIONS: Resource<IpReservation> = stored('IPReservation', 'ipreservations');
export const IPAM_CONFIGS: Resource<IpamConfig> = stored('IPAMConfig', 'ipamconfigs');
export const IPAM_BLOCKS: Resource<IpamBlock> = stored('IPAMBlock', 'ipamblocks');
export const BLOCK_AFFINITIES: Resource<BlockAffinity> = stored('BlockAffinity', 'blockaffinities');
export const IPAM_HANDLES: Resource<IpamHandle> = stored('IPAMHandle', 'ipamhandles');
