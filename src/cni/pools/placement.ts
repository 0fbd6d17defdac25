/** Where this node's blocks lie and are to lie: its own ones, the next, and which are outside of its node CIDR without need. */

import { nextBlock } from '#calc/ipam/choose.ts';
import { expectsCidr, isAstray, isHome, lacksHome, type Placing } from '#calc/ipam/home.ts';
import { poolOfBlock } from '#calc/ipam/pools.ts';
import type { KnownBlock, PoolsView } from '#cni/pools/view.ts';
import type { Clock } from '#feed/clock.ts';
import { containsPrefix, type Prefix } from '#net/prefix.ts';
import type { Block } from '#spec/block.ts';
import type { Pool } from '#spec/pool.ts';

export interface PlacementOptions {
  readonly node: string;
  readonly view: PoolsView;
  readonly clock: Clock;
  /** A node CIDR that is still to come is waited for so long before a first block is claimed, ms. Default 5 000. */
  readonly cidrWaitMs?: number;
}

const CIDR_WAIT_MS = 5_000;

export class Placement {
  readonly #options: PlacementOptions;
  /** Since when the node CIDR has been waited for, ms of the clock. */
  #cidrSince: number | undefined;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  /** Own blocks of a pool, or of all. */
  ownBlocks(pool?: Pool): KnownBlock[] {
    const { view, node } = this.#options;
    return view
      .blocks()
      .filter(({ block: { owner, cidr } }) => owner === node && (!pool || containsPrefix(pool.cidr, cidr)));
  }

  /** The part of the pool that this node would claim next. */
  nextBlock(pool: Pool): Prefix | undefined {
    const { view, node } = this.#options;
    return nextBlock(pool, node, this.#taken(), view.reservations(), view.nodeCidrs());
  }

  /** Inside of the node CIDR. */
  isHome({ cidr }: Block): boolean {
    return isHome(cidr, this.#options.view.nodeCidrs());
  }

  /** The pool can give this node a block inside of its node CIDR, and has given none. */
  lacksHome(pool: Pool): boolean {
    return lacksHome(this.#placing(pool));
  }

  /** An own block that gives nothing more, since the node has better ones. */
  isAstray({ cidr, owner }: Block): boolean {
    const { view, node } = this.#options;
    const pool = poolOfBlock(view.pools(), cidr);
    return owner === node && pool !== undefined && isAstray(cidr, this.#placing(pool));
  }

  #placing(pool: Pool): Placing {
    const { view } = this.#options;
    const mine = this.ownBlocks(pool).map(({ block }) => block.cidr);
    return { pool, mine, taken: this.#taken(), nodeCidrs: view.nodeCidrs(), reservations: view.reservations() };
  }

  #taken(): Set<Prefix> {
    return new Set(this.#options.view.blocks().map(({ block }) => block.cidr));
  }

  /** The node's first block waits for the node CIDR, so that it is claimed inside. */
  get awaitsCidr(): boolean {
    return this.cidrWait > 0 && this.ownBlocks().length === 0;
  }

  /** How long the node CIDR is still waited for, ms. */
  get cidrWait(): number {
    const { clock, node, view, cidrWaitMs = CIDR_WAIT_MS } = this.#options;
    if (!view.synced || !expectsCidr(view.cidrNodes(), node)) return 0;
    this.#cidrSince ??= clock.now();
    return Math.max(0, this.#cidrSince + cidrWaitMs - clock.now());
  }
}
