/** Addresses of pools that the node itself speaks with: those of its tunnel devices. */

import { type Family, familyOf } from '#net/addr.ts';
import { firstAddr } from '#net/prefix.ts';
import type { Allocation } from '#spec/block.ts';
import { NODE_ANNOTATIONS } from '#spec/calico-annotations.ts';
import type { Profile, TunnelKind } from '#spec/cluster.ts';
import type { Pool } from '#spec/pool.ts';

export interface TunnelAddress {
  readonly kind: TunnelKind;
  readonly family: Family;
  /** Annotation of the Node that tells it to the others. */
  readonly annotation: string;
  /** Names of the pools that it may come from: those whose packets go by this kind of tunnel. */
  readonly pools: readonly string[];
}

/** Every device that may have an address. IPIP is IPv4 inside IPv4. */
export const ALL_TUNNELS: readonly Omit<TunnelAddress, 'pools'>[] = (['vxlan', 'ipip', 'wireguard'] as const).flatMap(
  (kind) =>
    NODE_ANNOTATIONS[kind].map((annotation, index) => ({ kind, family: index === 0 ? 4 : 6, annotation }) as const),
);

/** What the pools and the profile ask for. */
export function tunnelAddressesOf(
  pools: readonly Pool[],
  { encryption }: Pick<Profile, 'encryption'>,
): TunnelAddress[] {
  const uses: Readonly<Record<TunnelKind, (pool: Pool) => boolean>> = {
    vxlan: ({ vxlan }) => vxlan !== 'never',
    ipip: ({ ipip }) => ipip !== 'never',
    wireguard: () => encryption === 'wireguard',
  };
  return ALL_TUNNELS.flatMap((tunnel) => {
    const using = pools.filter((pool) => familyOf(firstAddr(pool.cidr)) === tunnel.family && uses[tunnel.kind](pool));
    return using.length > 0 ? [{ ...tunnel, pools: using.map(({ name }) => name) }] : [];
  });
}

/** Calico's handles: `vxlan-tunnel-addr-node1`, `vxlan-v6-tunnel-addr-node1`. */
export function tunnelAllocation(node: string, { kind, family }: Pick<TunnelAddress, 'kind' | 'family'>): Allocation {
  const v6 = family === 6 ? '-v6' : '';
  const type = `${kind}${family === 6 ? 'V6' : ''}TunnelAddress`;
  return { handle: `${kind}${v6}-tunnel-addr-${node}`, node, notes: { type } };
}
