/** Gives this node's tunnel devices their addresses of pools, says them on the Node, and gives back those of devices that are gone. */

import { freePlaces } from '#calc/ipam/choose.ts';
import { isStock, type Kept } from '#calc/ipam/keep.ts';
import { poolsFor } from '#calc/ipam/pools.ts';
import type { Placement } from '#cni/pools/placement.ts';
import { ALL_TUNNELS, type TunnelAddress, tunnelAllocation } from '#cni/pools/tunnels.ts';
import type { KnownBlock, PoolsView } from '#cni/pools/view.ts';
import type { ApiClient } from '#feed/client.ts';
import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import { type Allocation, addrAt, type Block, give, release } from '#spec/block.ts';
import { NODES } from '#spec/k8s.ts';
import type { Pool } from '#spec/pool.ts';
import { readWays, WAYS_ANNOTATION } from '#spec/ways.ts';

export interface TunnelKeeperOptions {
  readonly node: string;
  readonly client: ApiClient;
  readonly view: PoolsView;
  /** As the keeper of blocks has it. */
  readonly active: () => boolean | undefined;
  /** Devices that want an address of a pool. */
  readonly tunnels: () => readonly TunnelAddress[];
}

/** What it needs of the keeper of blocks, whose turn it is part of. */
export interface OwnBlocks {
  readonly placement: Pick<Placement, 'ownBlocks' | 'isAstray'>;
  claimOf(pool: Pool): Promise<boolean>;
  change(cidr: Prefix, change: (block: Block) => Block): Promise<Kept | undefined>;
  isTaken(addr: Addr): boolean;
}

export class TunnelKeeper {
  readonly #options: TunnelKeeperOptions;
  readonly #blocks: OwnBlocks;

  constructor(options: TunnelKeeperOptions, blocks: OwnBlocks) {
    this.#options = options;
    this.#blocks = blocks;
  }

  /** @throws ApiError, ApiUnreachable */
  async pass(): Promise<void> {
    for (const tunnel of this.#options.active() ? this.#options.tunnels() : []) await this.#ensure(tunnel);
    await this.#releaseUnwanted();
  }

  /** Addresses of devices that are no more: not asked for, nor kept for others' sake while the cluster changes over. */
  async #releaseUnwanted(): Promise<void> {
    const { view, node, client, active, tunnels } = this.#options;
    const annotations = view.nodeAnnotations();
    const ways = readWays(annotations?.[WAYS_ANNOTATION] ?? '');
    if (active() !== true || annotations === undefined || ways === undefined) return;
    const wanted = new Set(tunnels().map(({ annotation }) => annotation));
    for (const tunnel of ALL_TUNNELS) {
      if (wanted.has(tunnel.annotation) || ways.accepts.includes(tunnel.kind)) continue;
      const gone = { metadata: { annotations: { [tunnel.annotation]: null } } };
      if (annotations[tunnel.annotation] !== undefined) await client.patch(NODES, { name: node }, gone);
      await this.#giveBack(tunnelAllocation(node, tunnel).handle);
    }
  }

  async #giveBack(handle: string, but?: Addr): Promise<void> {
    const placesIn = (block: Block) =>
      [...block.given]
        .filter(([place, one]) => one.handle === handle && addrAt(block.cidr, place) !== but)
        .map(([place]) => place);
    for (const { block } of this.#options.view.blocks()) {
      if (placesIn(block).length > 0) await this.#blocks.change(block.cidr, (now) => release(now, placesIn(now)));
    }
  }

  async #ensure(tunnel: TunnelAddress): Promise<void> {
    const { view, node, client } = this.#options;
    const annotations = view.nodeAnnotations();
    if (annotations === undefined) return;
    const said = annotations[tunnel.annotation];
    const allocation = tunnelAllocation(node, tunnel);
    const addr = this.#addrOf(allocation) ?? (await this.#take(tunnel, allocation)) ?? this.#astrayOf(allocation);
    if (addr === undefined) return;
    const next = { metadata: { annotations: { [tunnel.annotation]: addr } } };
    if (addr !== said) await client.patch(NODES, { name: node }, next);
    // One that it moved away from.
    await this.#giveBack(allocation.handle, addr);
  }

  #addrOf(allocation: Allocation): Addr | undefined {
    return this.#given(allocation, (block) => !this.#blocks.placement.isAstray(block));
  }

  /** It stays in a block that is to go back, if no other can be had. */
  #astrayOf(allocation: Allocation): Addr | undefined {
    return this.#given(allocation, () => true);
  }

  #given({ handle }: Allocation, counts: (block: Block) => boolean): Addr | undefined {
    for (const { block } of this.#options.view.blocks().filter((known) => counts(known.block))) {
      for (const [place, one] of block.given) if (one.handle === handle) return addrAt(block.cidr, place);
    }
    return undefined;
  }

  async #take({ family, pools }: TunnelAddress, allocation: Allocation): Promise<Addr | undefined> {
    const { view } = this.#options;
    const answer = poolsFor(view.pools(), { family, use: 'Tunnel', nodeLabels: view.nodeLabels() });
    const usable = answer.kind === 'pools' ? answer.pools.filter((pool) => pools.includes(pool.name)) : [];
    for (const pool of usable) {
      const addr = await this.#takeFrom(pool, allocation);
      if (addr !== undefined) return addr;
    }
    return undefined;
  }

  /** The first address of an own block that no pod has, for the node itself. */
  async #takeFrom(pool: Pool, allocation: Allocation): Promise<Addr | undefined> {
    if (this.#ownBlocks(pool).length === 0 && !(await this.#blocks.claimOf(pool))) return undefined;
    for (const { block } of this.#ownBlocks(pool)) {
      let place: number | undefined;
      const kept = await this.#blocks.change(block.cidr, (now) => {
        place = this.#unused(now)[0];
        return place === undefined ? now : give(now, [place], allocation);
      });
      if (kept && place !== undefined) return addrAt(block.cidr, place);
    }
    return undefined;
  }

  #ownBlocks(pool: Pool): KnownBlock[] {
    const { placement } = this.#blocks;
    return placement.ownBlocks(pool).filter(({ block }) => !placement.isAstray(block));
  }

  /** Places of an own block that are free or in stock, and that nobody is about to have. */
  #unused(block: Block): number[] {
    const stock = [...block.given]
      .filter(([, one]) => isStock(one) && one.node === block.owner)
      .map(([place]) => place);
    const idle = [...freePlaces(block, this.#options.view.reservations()), ...stock].filter(
      (place) => !this.#blocks.isTaken(addrAt(block.cidr, place)),
    );
    return idle.sort((a, b) => a - b);
  }
}
