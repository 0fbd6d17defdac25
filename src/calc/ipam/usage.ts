/** How full pools, blocks and nodes are: what `polder ipam show` prints. */

import { isReserved, poolOfBlock } from '#calc/ipam/pools.ts';
import { type Given, givenOf, type IpamState } from '#calc/ipam/state.ts';
import type { Addr } from '#net/addr.ts';
import { compareAddr } from '#net/addr.ts';
import { firstAddr, type Prefix, sizeOf } from '#net/prefix.ts';
import { addrAt, type Block, blockCapacity } from '#spec/block.ts';

/** Counts of addresses. What a node has in stock is free: it is given to the next pod. */
export interface Counts {
  /** Of IPv6 pools more than a number is exact for. */
  readonly total: number;
  /** By pods, tunnel devices and what else has a handle. */
  readonly inUse: number;
  readonly free: number;
  /** Of the free ones: those that a node keeps ready. */
  readonly inStock: number;
}

export interface BlockUsage extends Counts {
  readonly cidr: Prefix;
  /** The pool that it was cut from; absent: that is gone. */
  readonly pool?: string;
  /** The node whose it is; absent: nobody's. */
  readonly node?: string;
  /** In use by other nodes than its own. */
  readonly borrowed: number;
  /** Kept from being given by an IPReservation. */
  readonly reserved: number;
}

export interface PoolUsage extends Counts {
  readonly name: string;
  readonly cidr: Prefix;
  readonly disabled: boolean;
  readonly leaving: boolean;
  readonly blocks: number;
  /** How many blocks it can have. */
  readonly mostBlocks: number;
}

export interface NodeUsage extends Counts {
  readonly node: string;
  readonly blocks: number;
  /** In use here, of blocks of other nodes; part of `inUse`, not of `total`. */
  readonly borrowed: number;
  /** Of its own blocks, in use elsewhere. */
  readonly lent: number;
}

export interface Borrowed {
  readonly addr: Addr;
  readonly node: string;
  readonly block: Prefix;
  readonly owner?: string;
  readonly use: Given['use'];
  /** The pod, or the handle where there is none. */
  readonly for: string;
}

export interface IpamUsage {
  readonly pools: readonly PoolUsage[];
  readonly blocks: readonly BlockUsage[];
  readonly nodes: readonly NodeUsage[];
  readonly borrowed: readonly Borrowed[];
}

export function usageOf(state: IpamState): IpamUsage {
  const given = givenOf(state);
  const blocks = [...state.blocks]
    .sort((a, b) => compareAddr(firstAddr(a.cidr), firstAddr(b.cidr)))
    .map((block) => blockUsage(state, block, given));
  const pools = state.pools.map((pool) => {
    const own = blocks.filter((block) => block.pool === pool.name);
    const mostBlocks = Number(sizeOf(pool.cidr)) / blockCapacity(`${firstAddr(pool.cidr)}/${pool.blockSize}` as Prefix);
    const { name, cidr, disabled, leaving } = pool;
    const sum = { inUse: total(own, 'inUse'), inStock: total(own, 'inStock') };
    return { name, cidr, disabled, leaving, ...counts(Number(sizeOf(cidr)), sum), blocks: own.length, mostBlocks };
  });
  return { pools, blocks, nodes: nodesUsage(state, blocks, given), borrowed: borrowedOf(given) };
}

function counts(all: number, { inUse, inStock }: Pick<Counts, 'inUse' | 'inStock'>): Counts {
  return { total: all, inUse, free: all - inUse, inStock };
}

function total<K extends string>(items: readonly Readonly<Record<K, number>>[], key: K): number {
  return items.reduce((sum, item) => sum + item[key], 0);
}

function blockUsage({ pools, reservations }: IpamState, block: Block, given: readonly Given[]): BlockUsage {
  const { cidr, owner } = block;
  const own = given.filter((one) => one.block === block);
  const inStock = own.filter(({ use }) => use === 'stock').length;
  const pool = poolOfBlock(pools, cidr)?.name;
  const places = Array.from({ length: blockCapacity(cidr) }, (_, place) => place);
  return {
    cidr,
    ...(pool !== undefined && { pool }),
    ...(owner !== undefined && { node: owner }),
    ...counts(blockCapacity(cidr), { inUse: own.length - inStock, inStock }),
    borrowed: own.filter((one) => isUsedElsewhere(one)).length,
    reserved: places.filter((place) => isReserved(reservations, addrAt(cidr, place))).length,
  };
}

/** By another node than the block's, and not only kept ready there. */
function isUsedElsewhere({ block, allocation: { node }, use }: Given): boolean {
  return node !== '' && node !== block.owner && use !== 'stock';
}

function nodesUsage(state: IpamState, blocks: readonly BlockUsage[], given: readonly Given[]): NodeUsage[] {
  const owners = blocks.map(({ node }) => node).filter((node) => node !== undefined);
  const users = given.map(({ allocation: { node } }) => node).filter((node) => node !== '');
  const names = [...new Set([...state.nodes.keys(), ...owners, ...users])].sort();
  return names.map((node) => {
    const own = blocks.filter((block) => block.node === node);
    const here = given.filter(({ allocation }) => allocation.node === node);
    const borrowed = here.filter(isUsedElsewhere).length;
    const inUse = here.filter(({ use }) => use !== 'stock').length;
    const lent = total(own, 'borrowed');
    const all = total(own, 'total');
    const inStock = here.length - inUse;
    return {
      node,
      blocks: own.length,
      total: all,
      inUse,
      free: all - (inUse - borrowed) - lent,
      inStock,
      borrowed,
      lent,
    };
  });
}

function borrowedOf(given: readonly Given[]): Borrowed[] {
  return given.filter(isUsedElsewhere).map(({ addr, block, allocation, use, pod }) => ({
    addr,
    node: allocation.node,
    block: block.cidr,
    ...(block.owner !== undefined && { owner: block.owner }),
    use,
    for: pod ?? allocation.handle,
  }));
}
