/** What the API says of addresses, all at one time: what the reports of `polder ipam` are computed from. */

import { isStock, isTunnel } from '#calc/ipam/keep.ts';
import type { Addr } from '#net/addr.ts';
import { contains, type Prefix } from '#net/prefix.ts';
import { type Allocation, addrAt, type Block, placeOf } from '#spec/block.ts';
import type { Pool } from '#spec/pool.ts';

/** A pod that has, or will have, addresses of the pod network: none of the node's own network. */
export interface PodUse {
  /** `namespace/name` */
  readonly name: string;
  /** '' as long as it has none. */
  readonly node: string;
  /** What its status says; empty while it starts. */
  readonly addrs: readonly Addr[];
  /** Its containers have ended for good: its addresses may be another's by now. */
  readonly ended: boolean;
}

export interface Claim {
  readonly name: string;
  readonly node: string;
  readonly cidr: string;
}

export interface IpamState {
  readonly pools: readonly Pool[];
  readonly blocks: readonly Block[];
  /** Names of IPAMBlocks that cannot be understood. */
  readonly unreadable: readonly string[];
  readonly claims: readonly Claim[];
  /** Nodes, and the networks that their podCIDRs are. */
  readonly nodes: ReadonlyMap<string, readonly Prefix[]>;
  readonly pods: readonly PodUse[];
  readonly reservations: readonly Prefix[];
  /** The cluster's profile takes pods' addresses from pools; false: from the nodes' podCIDRs. */
  readonly fromPools: boolean;
}

export type AllocationUse = 'pod' | 'stock' | 'tunnel' | 'other';

/** An address that a block says is given. */
export interface Given {
  readonly addr: Addr;
  readonly block: Block;
  readonly allocation: Allocation;
  readonly use: AllocationUse;
  /** `namespace/name` of the pod that it is given for. */
  readonly pod?: string;
}

export function useOf(allocation: Allocation): AllocationUse {
  if (isStock(allocation)) return 'stock';
  if (isTunnel(allocation)) return 'tunnel';
  return allocation.notes.pod === undefined ? 'other' : 'pod';
}

/** Every given address, block by block in the order of places. */
export function givenOf({ blocks }: Pick<IpamState, 'blocks'>): Given[] {
  return blocks.flatMap((block) =>
    [...block.given].sort(([a], [b]) => a - b).map(([place, allocation]) => givenAt(block, place, allocation)),
  );
}

function givenAt(block: Block, place: number, allocation: Allocation): Given {
  const { pod, namespace = 'default' } = allocation.notes;
  const name = pod === undefined ? {} : { pod: `${namespace}/${pod}` };
  return { addr: addrAt(block.cidr, place), block, allocation, use: useOf(allocation), ...name };
}

export function blockOf({ blocks }: Pick<IpamState, 'blocks'>, addr: Addr): Block | undefined {
  return blocks.find(({ cidr }) => contains(cidr, addr));
}

/** What the address is given for; undefined: nobody has it. */
export function givenFor(state: Pick<IpamState, 'blocks'>, addr: Addr): Given | undefined {
  const block = blockOf(state, addr);
  const place = block && placeOf(block.cidr, addr);
  const allocation = place === undefined ? undefined : block?.given.get(place);
  return block && place !== undefined && allocation ? givenAt(block, place, allocation) : undefined;
}
