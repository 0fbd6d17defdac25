/**
 * What a node has the API say of a block: the addresses of its pods by name, the others that it may give without
 * asking as its stock. What the API says a node has is given by that node alone, so no address is given twice however
 * long the API is away.
 */

import { stockTarget } from '#calc/ipam/choose.ts';
import { isReserved } from '#calc/ipam/pools.ts';
import type { Addr } from '#net/addr.ts';
import { contains, type Prefix } from '#net/prefix.ts';
import { type Allocation, addrAt, type Block, give, placeOf, release } from '#spec/block.ts';

export interface Keeping {
  readonly node: string;
  /** What this node's pods have, by the node's own journal. */
  readonly held: ReadonlyMap<Addr, Allocation>;
  /** Addresses that cool down. */
  readonly rests: (addr: Addr) => boolean;
  /** Addresses that are about to be given: they stay as they are. */
  readonly pinned: (addr: Addr) => boolean;
  readonly reservations: readonly Prefix[];
  readonly strictAffinity: boolean;
  /** The pool has parts that nobody has claimed. */
  readonly blocksLeft: boolean;
  /** False: the pool gives this node no new addresses; what is unused goes back. */
  readonly usable: boolean;
}

export interface Kept {
  /** The block as it is to be. */
  readonly block: Block;
  /** Addresses of it that this node may give or has given, once the API has it so. */
  readonly ours: readonly Addr[];
  /** Given to a pod here, and to somebody else by the API: somebody took what was in use. */
  readonly conflicts: readonly Addr[];
}

const STOCK = 'stock';

/** What stands in the API for an address that a node keeps ready. */
export function stockOf(node: string): Allocation {
  return { handle: `polder-stock-${node}`, node, notes: { type: STOCK } };
}

export function isStock({ notes }: Allocation): boolean {
  return notes.type === STOCK;
}

/** Addresses of tunnel devices: given by the agent to itself. */
export function isTunnel({ notes }: Allocation): boolean {
  return notes.type?.endsWith('TunnelAddress') ?? false;
}

/** Pure: the same block and journal give the same answer, and the answer's block gives itself. */
export function keepBlock(before: Block, keeping: Keeping): Kept {
  const { block: named, conflicts } = nameHeld(before, keeping);
  const granted = grant(settle(named, keeping), keeping);
  const block = before.owner === keeping.node ? stock(granted, keeping) : granted;
  const ours = [...block.given].filter(([, one]) => one.node === keeping.node && !isTunnel(one));
  return { block, ours: ours.map(([place]) => addrAt(block.cidr, place)), conflicts };
}

/** What pods here have stands under their names. */
function nameHeld(before: Block, { node, held }: Keeping): { block: Block; conflicts: Addr[] } {
  const conflicts: Addr[] = [];
  let block = before;
  for (const [addr, allocation] of held) {
    const place = contains(block.cidr, addr) ? placeOf(block.cidr, addr) : undefined;
    if (place === undefined) continue;
    const now = block.given.get(place);
    if (now !== undefined && now.node !== node) conflicts.push(addr);
    else if (now?.handle !== allocation.handle) block = give(block, [place], allocation);
  }
  return { block, conflicts };
}

/** What no pod here has any more: stock in an own block, else it goes back as soon as it has cooled down. */
function settle(block: Block, keeping: Keeping): Block {
  const { node, held, reservations, usable } = keeping;
  const unused = [...block.given].filter(
    ([place, one]) => one.node === node && !isTunnel(one) && !held.has(addrAt(block.cidr, place)),
  );
  const kept: number[] = [];
  const gone: number[] = [];
  for (const [place, one] of unused) {
    const addr = addrAt(block.cidr, place);
    const stays = block.owner === node && usable && !isReserved(reservations, addr);
    if (!stays && !isBusy(addr, keeping)) gone.push(place);
    else if (!isStock(one)) kept.push(place);
  }
  return release(give(block, kept, stockOf(node)), gone);
}

function isBusy(addr: Addr, { rests, pinned }: Keeping): boolean {
  return rests(addr) || pinned(addr);
}

function stock(block: Block, keeping: Keeping): Block {
  const { node, reservations, strictAffinity, blocksLeft, usable } = keeping;
  if (!usable) return block;
  const stocked = placesOf(block, (one) => one.node === node && isStock(one));
  const free = block.free.filter((place) => !isReserved(reservations, addrAt(block.cidr, place)));
  const target = stockTarget(block.cidr, stocked.length + free.length, strictAffinity, blocksLeft);
  if (stocked.length <= target) return give(block, free.slice(0, target - stocked.length), stockOf(node));
  // The last ones first: they are the last to be given.
  const idle = stocked.filter((place) => !isBusy(addrAt(block.cidr, place), keeping)).sort((a, b) => b - a);
  return release(block, idle.slice(0, stocked.length - target));
}

/**
 * Addresses that another node asks for by name: whoever has one in stock answers, for free ones the owner. It is the
 * asker's if no pod here has it, rested or not, as for a pod here.
 */
function grant(before: Block, { node, pinned }: Keeping): Block {
  let block = before;
  const open = new Map(before.wishes);
  for (const [addr, asker] of before.wishes) {
    const place = placeOf(before.cidr, addr);
    const now = place === undefined ? undefined : before.given.get(place);
    const answers = now === undefined ? before.owner : isStock(now) ? now.node : node;
    // One that is about to be given is decided later.
    if (answers !== node || pinned(addr)) continue;
    open.delete(addr);
    if (place !== undefined && (now === undefined || isStock(now))) block = give(block, [place], stockOf(asker));
  }
  return open.size === before.wishes.size ? block : { ...block, wishes: open };
}

function placesOf(block: Block, test: (one: Allocation) => boolean): number[] {
  return [...block.given].filter(([, one]) => test(one)).map(([place]) => place);
}

/** Whether nobody uses an address of the block: only its owner's stock stands in it. */
export function isIdle(block: Block): boolean {
  return [...block.given.values()].every((one) => isStock(one) && one.node === block.owner);
}
