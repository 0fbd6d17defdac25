/** One address: what the pools, blocks and pods say of it. */

import { isReserved, poolOfAddr } from '#calc/ipam/pools.ts';
import { blockOf, givenFor, type IpamState } from '#calc/ipam/state.ts';
import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';

export interface AddressReport {
  readonly addr: Addr;
  /** `outside`: of no pool; `reserved`: an IPReservation keeps it back; `stock`: free, a node keeps it ready. */
  readonly state: 'outside' | 'free' | 'reserved' | 'stock' | 'in-use';
  readonly pool?: string;
  readonly block?: Prefix;
  /** The node whose block it is of. */
  readonly owner?: string;
  /** The node that has it. */
  readonly node?: string;
  readonly handle?: string;
  /** Pod, namespace, type, as the block says. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Pods whose status says that they have it, ended ones aside. */
  readonly pods: readonly string[];
}

export function lookUp(state: IpamState, addr: Addr): AddressReport {
  const pool = poolOfAddr(state.pools, addr)?.name;
  const block = blockOf(state, addr);
  const given = givenFor(state, addr);
  const pods = state.pods.filter(({ addrs, ended }) => !ended && addrs.includes(addr)).map(({ name }) => name);
  return {
    addr,
    state: stateOf(state, addr),
    ...(pool !== undefined && { pool }),
    ...(block && { block: block.cidr }),
    ...(block?.owner !== undefined && { owner: block.owner }),
    ...(given && { node: given.allocation.node, handle: given.allocation.handle, attributes: given.allocation.notes }),
    pods,
  };
}

function stateOf(state: IpamState, addr: Addr): AddressReport['state'] {
  const given = givenFor(state, addr);
  if (given !== undefined) return given.use === 'stock' ? 'stock' : 'in-use';
  if (isReserved(state.reservations, addr)) return 'reserved';
  return poolOfAddr(state.pools, addr) === undefined ? 'outside' : 'free';
}
