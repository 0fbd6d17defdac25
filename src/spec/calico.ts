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
export const IP_RESERVATIONS: Resource<IpReservation> = stored('IPReservation', 'ipreservations');
export const IPAM_CONFIGS: Resource<IpamConfig> = stored('IPAMConfig', 'ipamconfigs');
export const IPAM_BLOCKS: Resource<IpamBlock> = stored('IPAMBlock', 'ipamblocks');
export const BLOCK_AFFINITIES: Resource<BlockAffinity> = stored('BlockAffinity', 'blockaffinities');
export const IPAM_HANDLES: Resource<IpamHandle> = stored('IPAMHandle', 'ipamhandles');
