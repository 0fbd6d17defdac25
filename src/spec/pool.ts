/** Pools of addresses, as the calculators see them: what of a Calico v3 IPPool matters, as plain values. */

import { lengthOf, type Prefix, prefixFamily, readPrefix } from '#net/prefix.ts';
import type { IpPool } from '#spec/calico.ts';

/** When packets to a pool's addresses are encapsulated: ipipMode and vxlanMode of an IPPool. */
export type EncapsulationMode =
  | 'never'
  | 'always'
  /** Only towards nodes outside of the own node's subnet. */
  | 'cross-subnet';

/** What addresses of a pool are for: pods, tunnel devices of nodes, load balancers. */
export type PoolUse = 'Workload' | 'Tunnel' | 'LoadBalancer';

export interface Pool {
  readonly name: string;
  readonly cidr: Prefix;
  /** Prefix length of the parts that nodes get. */
  readonly blockSize: number;
  readonly ipip: EncapsulationMode;
  readonly vxlan: EncapsulationMode;
  /** Give traffic that leaves all pools the node's address. */
  readonly natOutgoing: boolean;
  /** No new address comes from it; those that were given stay routed. */
  readonly disabled: boolean;
  /** It is deleted, and stays until its addresses have come back; as if it were disabled. */
  readonly leaving: boolean;
  /** Calico's selector over labels of nodes that may use it: `all()`. */
  readonly nodeSelector: string;
  /** Calico's selector over labels of namespaces that may use it; empty: all. */
  readonly namespaceSelector: string;
  readonly allowedUses: readonly PoolUse[];
  readonly disableBgpExport: boolean;
  /** Only pods that name it get its addresses. */
  readonly manual: boolean;
}

/** Calico's default sizes of blocks: 64 addresses (IPPool spec.blockSize). */
export const DEFAULT_BLOCK_SIZE = { 4: 26, 6: 122 } as const;

/** A pool with Calico's defaults; `changes` say where it differs. */
export function poolOf(name: string, cidr: Prefix, changes: Partial<Omit<Pool, 'name' | 'cidr'>> = {}): Pool {
  return {
    name,
    cidr,
    blockSize: Math.max(DEFAULT_BLOCK_SIZE[prefixFamily(cidr)], lengthOf(cidr)),
    ipip: 'never',
    vxlan: 'never',
    natOutgoing: false,
    disabled: false,
    leaving: false,
    nodeSelector: 'all()',
    namespaceSelector: '',
    allowedUses: ['Workload', 'Tunnel'],
    disableBgpExport: false,
    manual: false,
    ...changes,
  };
}

const MODES: Readonly<Record<string, EncapsulationMode>> = {
  Always: 'always',
  CrossSubnet: 'cross-subnet',
  Never: 'never',
};
const USES: readonly PoolUse[] = ['Workload', 'Tunnel', 'LoadBalancer'];

/** The pool that an IPPool describes; undefined if its network cannot be read. */
export function readPool({ metadata, spec = {} }: IpPool): Pool | undefined {
  const cidr = readPrefix(spec.cidr ?? '');
  if (cidr === undefined || metadata.name === undefined) return undefined;
  const uses = USES.filter((use) => spec.allowedUses?.includes(use));
  return poolOf(metadata.name, cidr, {
    blockSize: Math.max(spec.blockSize || DEFAULT_BLOCK_SIZE[prefixFamily(cidr)], lengthOf(cidr)),
    ipip: MODES[spec.ipipMode ?? ''] ?? 'never',
    vxlan: MODES[spec.vxlanMode ?? ''] ?? 'never',
    natOutgoing: spec.natOutgoing ?? false,
    disabled: spec.disabled ?? false,
    leaving: metadata.deletionTimestamp !== undefined,
    nodeSelector: spec.nodeSelector ?? 'all()',
    namespaceSelector: spec.namespaceSelector ?? '',
    ...(uses.length > 0 && { allowedUses: uses }),
    disableBgpExport: spec.disableBGPExport ?? false,
    manual: spec.assignmentMode === 'Manual',
  });
}
