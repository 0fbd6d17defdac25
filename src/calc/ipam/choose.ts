/** Which block a node claims next, and where it borrows. */

import { isReserved } from '#calc/ipam/pools.ts';
import { macOfNames } from '#calc/routes/vtep-mac.ts';
import { addrFromBigInt, addrToBigInt } from '#net/addr.ts';
import {
  containsPrefix,
  firstAddr,
  lengthOf,
  overlaps,
  type Prefix,
  prefixFamily,
  prefixOf,
  sizeOf,
} from '#net/prefix.ts';
import { addrAt, type Block, blockCapacity } from '#spec/block.ts';
import type { Pool } from '#spec/pool.ts';

/** Node CIDRs that the controller gave, whether or not the profile uses them. */
export interface NodeCidrs {
  readonly own: readonly Prefix[];
  readonly others: readonly Prefix[];
}

/**
 * A part of the pool that is no block yet; undefined if there is none. A node looks first in its own node CIDR, last
 * in those of others: so a cluster can change between pools and node CIDRs and every pod keeps its address. Between
 * them it begins at a place of its own (from its name), so that nodes that come up together do not all want the same.
 */
export function nextBlock(
  pool: Pool,
  node: string,
  taken: ReadonlySet<Prefix>,
  reservations: readonly Prefix[],
  { own, others }: NodeCidrs = { own: [], others: [] },
): Prefix | undefined {
  const isFree = freeOf(taken, reservations);
  const isOthers = (cidr: Prefix) => others.some((one) => overlaps(one, cidr));
  const home = firstInside(pool, own, isFree);
  if (home !== undefined) return home;
  const count = 1n << BigInt(pool.blockSize - lengthOf(pool.cidr));
  const start = startOf(node) % count;
  let last: Prefix | undefined;
  for (let step = 0n; step < count; step++) {
    const cidr = blockAt(pool, (start + step) % count);
    if (!isFree(cidr)) continue;
    if (!isOthers(cidr)) return cidr;
    last ??= cidr;
  }
  return last;
}

/** A part of the pool inside the node's own node CIDR that is no block yet; undefined if there is none. */
export function nextHome(
  pool: Pool,
  taken: ReadonlySet<Prefix>,
  reservations: readonly Prefix[],
  { own }: Pick<NodeCidrs, 'own'>,
): Prefix | undefined {
  return firstInside(pool, own, freeOf(taken, reservations));
}

function freeOf(taken: ReadonlySet<Prefix>, reservations: readonly Prefix[]): (cidr: Prefix) => boolean {
  return (cidr) => !taken.has(cidr) && !reservations.some((one) => containsPrefix(one, cidr));
}

function firstInside(pool: Pool, regions: readonly Prefix[], isFree: (cidr: Prefix) => boolean): Prefix | undefined {
  for (const region of regions) {
    const found = firstBlock(pool, region, isFree);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first free block of the pool inside a network. */
function firstBlock({ cidr, blockSize }: Pool, region: Prefix, isFree: (cidr: Prefix) => boolean): Prefix | undefined {
  if (!containsPrefix(cidr, region) || lengthOf(region) > blockSize) return undefined;
  const count = 1n << BigInt(Math.min(blockSize - lengthOf(region), MOST_IN_REGION));
  for (let index = 0n; index < count; index++) {
    const block = blockAt({ cidr: region, blockSize }, index);
    if (isFree(block)) return block;
  }
  return undefined;
}

/** An IPv6 node CIDR has more blocks than anybody looks through: 2^16 are enough. */
const MOST_IN_REGION = 16;

function blockAt({ cidr, blockSize }: Pick<Pool, 'cidr' | 'blockSize'>, index: bigint): Prefix {
  const family = prefixFamily(cidr);
  const size = sizeOf(prefixOf(firstAddr(cidr), blockSize));
  return prefixOf(addrFromBigInt(addrToBigInt(firstAddr(cidr)) + index * size, family), blockSize);
}

function startOf(node: string): bigint {
  return BigInt(`0x${macOfNames(node, 'blocks').replaceAll(':', '')}`);
}

/** Free places that may be given, in their order. */
export function freePlaces(block: Block, reservations: readonly Prefix[]): number[] {
  return block.free.filter((place) => !isReserved(reservations, addrAt(block.cidr, place)));
}

/** Another's block of the pool that has a free address: the emptiest, so that its owner misses it least. */
export function lender(
  blocks: readonly Block[],
  pool: Pool,
  node: string,
  reservations: readonly Prefix[],
): Block | undefined {
  const candidates = blocks
    .filter(({ cidr, owner }) => owner !== node && containsPrefix(pool.cidr, cidr))
    .map((block) => ({ block, free: freePlaces(block, reservations).length }))
    .filter(({ free }) => free > 0);
  return candidates.sort((a, b) => b.free - a.free || (a.block.cidr < b.block.cidr ? -1 : 1))[0]?.block;
}

/**
 * How many of a block's unused addresses (`spare`) its owner keeps in stock, ready to give without asking the API.
 * Others can borrow only what it does not keep: it leaves them an eighth of the block while there are blocks for them,
 * and nearly all when there are none.
 */
export function stockTarget(cidr: Prefix, spare: number, strictAffinity: boolean, blocksLeft: boolean): number {
  if (strictAffinity) return spare;
  const eighth = Math.floor(blockCapacity(cidr) / 8);
  return Math.min(spare, Math.max(1, blocksLeft ? spare - eighth : eighth));
}
