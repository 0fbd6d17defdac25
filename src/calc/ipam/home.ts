/**
 * Blocks and the node CIDR that the cluster gives a node: a block inside it is at home. A cluster can change between
 * pools and node CIDRs as long as every pod's address is of a block at home.
 */

import { type NodeCidrs, nextHome } from '#calc/ipam/choose.ts';
import { containsPrefix, type Prefix } from '#net/prefix.ts';
import type { Pool } from '#spec/pool.ts';

/** A Node as far as its node CIDR goes. */
export interface CidrNode {
  readonly name: string;
  /** ms since 1970, by the API server's clock. */
  readonly created: number;
  readonly hasCidr: boolean;
}

/** Whoever gives node CIDRs has given one to each Node that is older than another by this, ms. */
const CIDR_WITHIN_MS = 10_000;

/**
 * Whether the node has no node CIDR and may still get one: the controller manager gives it after the Node is there. If an older
 * Node has none either, nobody gives any.
 */
export function expectsCidr(nodes: readonly CidrNode[], node: string): boolean {
  const own = nodes.find(({ name }) => name === node);
  if (own === undefined || own.hasCidr) return false;
  return nodes.every((other) => other.hasCidr || other.created + CIDR_WITHIN_MS > own.created);
}

/** What says where a node's blocks of one pool are to lie. */
export interface Placing {
  readonly pool: Pool;
  readonly nodeCidrs: Pick<NodeCidrs, 'own'>;
  /** The node's blocks. */
  readonly mine: readonly Prefix[];
  /** Every node's blocks. */
  readonly taken: ReadonlySet<Prefix>;
  readonly reservations: readonly Prefix[];
}

export function isHome(block: Prefix, { own }: Pick<NodeCidrs, 'own'>): boolean {
  return own.some((cidr) => containsPrefix(cidr, block));
}

/** The node has no block at home and can have one. */
export function lacksHome(placing: Placing): boolean {
  return !placing.mine.some((block) => isHome(block, placing.nodeCidrs)) && hasRoomAtHome(placing);
}

/**
 * A block outside of the node CIDR that is not needed there: the node has one at home, and room for more. It gives
 * nothing new, and goes back when its pods have ended.
 */
export function isAstray(block: Prefix, placing: Placing): boolean {
  const { nodeCidrs, mine } = placing;
  return !isHome(block, nodeCidrs) && mine.some((one) => isHome(one, nodeCidrs)) && hasRoomAtHome(placing);
}

function hasRoomAtHome({ pool, nodeCidrs, taken, reservations }: Placing): boolean {
  return nextHome(pool, taken, reservations, nodeCidrs) !== undefined;
}
