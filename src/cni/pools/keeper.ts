/**
 * Keeps this node's blocks: what its pods have stands in the API by name, what it has in stock it may give without
 * asking, what it no longer needs goes back.
 */

import { isIdle, isStock, type Keeping, type Kept, keepBlock } from '#calc/ipam/keep.ts';
import { poolOfAddr, poolOfBlock, poolsFor, whyNot } from '#calc/ipam/pools.ts';
import type { EndpointStore } from '#cni/ipam/store.ts';
import type { Log } from '#cni/log.ts';
import type { Holdings } from '#cni/pools/holdings.ts';
import { Placement } from '#cni/pools/placement.ts';
import { TunnelKeeper } from '#cni/pools/tunnel-keeper.ts';
import type { TunnelAddress } from '#cni/pools/tunnels.ts';
import type { KnownBlock, PoolsView } from '#cni/pools/view.ts';
import { BlockWriter } from '#cni/pools/writer.ts';
import { Backoff } from '#feed/backoff.ts';
import type { ApiClient } from '#feed/client.ts';
import type { Clock } from '#feed/clock.ts';
import type { Addr, Family } from '#net/addr.ts';
import { containsPrefix, type Prefix, prefixOf } from '#net/prefix.ts';
import { type Allocation, type Block, blockCapacity, blockName, placeOf } from '#spec/block.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import type { Pool } from '#spec/pool.ts';

export interface KeeperOptions {
  readonly node: string;
  readonly client: ApiClient;
  readonly view: PoolsView;
  readonly holdings: Holdings;
  readonly store: EndpointStore;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Whether the cluster's profile takes addresses from pools; if not, nothing is claimed and what there is goes back.
   * Undefined while that is not known.
   */
  readonly active: () => boolean | undefined;
  /** Devices that want an address of a pool. */
  readonly tunnels: () => readonly TunnelAddress[];
  /** Told of addresses of pods here that somebody took back in the API. */
  readonly doubt?: (addrs: readonly Addr[]) => void;
  /** An own block that nobody has used for so long goes back when others of its pool have room, ms. Default 60 000. */
  readonly idleMs?: number;
  /** See `PlacementOptions.cidrWaitMs`. */
  readonly cidrWaitMs?: number;
}

const IDLE_MS = 60_000;
/** Changes gather this long before one pass, ms. */
const GATHER_MS = 20;
const PASS_AGAIN_MS = 30_000;

export class PoolKeeper {
  readonly #options: KeeperOptions;
  readonly #writer: BlockWriter;
  readonly #tunnels: TunnelKeeper;
  readonly placement: Placement;
  /** Addresses that are about to be given. */
  readonly #pinned = new Map<Addr, number>();
  /** Since when an own block has been idle, ms of the clock. */
  readonly #idleSince = new Map<Prefix, number>();
  readonly #waiting = new Set<() => void>();
  #turn: Promise<unknown> = Promise.resolve();
  #wake: (() => void) | undefined;
  #dirty = true;
  #resumed = false;
  #passed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#writer = new BlockWriter(options);
    this.placement = new Placement(options);
    this.#tunnels = new TunnelKeeper(options, this);
  }

  /** A pass has come to its end. */
  get passed(): boolean {
    return this.#passed;
  }

  /** Something has changed that may ask for a pass. */
  trigger(): void {
    this.#dirty = true;
    this.#wake?.();
    for (const wake of this.#waiting) wake();
  }

  /** Runs until the signal ends it. Never rejects: what fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, store } = this.#options;
    using _ = store.onChange(() => this.trigger());
    const backoff = new Backoff({ firstMs: 100, maxMs: 5_000 }, () => clock.random());
    while (!signal.aborted) {
      await this.#untilDirty(signal);
      if (signal.aborted) return;
      try {
        await this.pass();
        backoff.reset();
      } catch (error) {
        this.#dirty = true;
        const waitMs = backoff.next();
        log.info(
          { error: String(error), waitMs },
          'the API does not take what this node has of the pools; trying again',
        );
        await clock.sleep(waitMs, signal);
      }
    }
  }

  async #untilDirty(signal: AbortSignal): Promise<void> {
    const { clock, store } = this.#options;
    if (!this.#dirty) {
      const rested = new AbortController();
      const again =
        Math.min(store.nextRested() ?? PASS_AGAIN_MS, this.placement.cidrWait || PASS_AGAIN_MS, PASS_AGAIN_MS) + 1;
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
        clock.sleep(again, AbortSignal.any([signal, rested.signal])),
      ]);
      rested.abort();
      this.#wake = undefined;
    }
    await clock.sleep(GATHER_MS, signal);
    this.#dirty = false;
  }

  /** One pass over everything that concerns this node. @throws ApiError, ApiUnreachable */
  pass(): Promise<void> {
    return this.exclusively(async () => {
      const { view } = this.#options;
      if (!view.synced || this.#options.active() === undefined) return;
      if (!this.#resumed) await this.#writer.resume();
      this.#resumed = true;
      await this.#writer.confirm();
      for (const known of view.blocks()) if (this.#concerns(known.block)) await this.#keep(known);
      this.#forgetGone();
      await this.#claimHeld();
      await this.#ensureFirst();
      await this.#tunnels.pass();
      await this.#giveBackIdle();
      view.save();
      this.#passed = true;
    });
  }

  /** One writer at a time: passes and pods that wait for the API. */
  exclusively<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Resolves at the next change, or after `ms`. */
  async changed(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    await Promise.race([promise, this.#options.clock.sleep(ms)]);
    this.#waiting.delete(resolve);
  }

  /** While it is pinned an address stays this node's, also in another's block. */
  pin(addr: Addr): Disposable {
    this.#pinned.set(addr, (this.#pinned.get(addr) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#pinned.get(addr) ?? 1) - 1;
        if (left > 0) this.#pinned.set(addr, left);
        else this.#pinned.delete(addr);
      },
    };
  }

  #concerns({ cidr, owner, given }: Block): boolean {
    const { node, holdings } = this.#options;
    if (owner === node || holdings.blocks.has(cidr)) return true;
    for (const one of given.values()) if (one.node === node) return true;
    return false;
  }

  async #keep({ object, block }: KnownBlock): Promise<void> {
    this.#doubt(block);
    const kept = await this.#writer.change(object.metadata.name ?? '', (now) => keepBlock(now, this.keeping(now)));
    if (kept && kept.conflicts.length > 0) {
      const { log } = this.#options;
      log.error({ addrs: kept.conflicts, block: block.cidr }, 'addresses of pods here were given to others in the API');
    }
    if (kept && kept.block.owner === undefined) {
      const now = this.#options.view.block(blockName(block.cidr));
      if (now) await this.#writer.sweep(now);
    }
  }

  /** What pods here have, and the API said so before: it is written there again, unless nobody has it after all. */
  #doubt(block: Block): void {
    const { holdings, store, doubt } = this.#options;
    const had = (holdings.blocks.get(block.cidr) ?? []).filter((addr) => store.holderOf(addr) !== undefined);
    const taken = had.filter((addr) => !block.given.has(placeOf(block.cidr, addr) ?? -1));
    if (taken.length > 0) doubt?.(taken);
  }

  /** Blocks that are gone from the API: pods' addresses stay with the pods, nothing new is given. */
  #forgetGone(): void {
    const { view, holdings } = this.#options;
    for (const cidr of [...holdings.blocks.keys()]) if (!view.block(blockName(cidr))) this.#writer.forget(cidr);
  }

  /** Pods keep their addresses when a cluster changes over to pools: the blocks of these are claimed before all others. */
  async #claimHeld(): Promise<void> {
    const { view, holdings, active } = this.#options;
    if (active() !== true) return;
    const homeless = [...this.#held().keys()].filter((addr) => !holdings.has(addr));
    for (const addr of homeless) {
      const pool = poolOfAddr(view.pools(), addr);
      if (pool === undefined || holdings.has(addr)) continue;
      const cidr = prefixOf(addr, pool.blockSize);
      const known = view.block(blockName(cidr));
      if (known) await this.#keep(known);
      else await this.claim(cidr);
    }
  }

  /** What a change of a block goes by, as of now. */
  keeping(block: Block): Keeping {
    const { node, store, view, active } = this.#options;
    const pool = poolOfBlock(view.pools(), block.cidr);
    return {
      node,
      held: this.#held(),
      rests: (addr) => store.rests(addr),
      pinned: (addr) => this.#pinned.has(addr),
      reservations: view.reservations(),
      strictAffinity: view.settings().strictAffinity,
      blocksLeft: pool !== undefined && this.placement.nextBlock(pool) !== undefined,
      usable: active() === true && pool !== undefined && this.#isUsable(pool) && !this.placement.isAstray(block),
    };
  }

  #held(): Map<Addr, Allocation> {
    const { node, store } = this.#options;
    const held = new Map<Addr, Allocation>();
    for (const endpoint of store.all()) for (const addr of endpoint.addrs) held.set(addr, allocationOf(endpoint, node));
    return held;
  }

  /** Whether the pool gives this node anything, to pods of whatever namespace. */
  #isUsable(pool: Pool): boolean {
    const family: Family = pool.cidr.includes(':') ? 6 : 4;
    const nodeLabels = this.#options.view.nodeLabels();
    return (['Workload', 'Tunnel'] as const).some((use) => whyNot(pool, { family, use, nodeLabels }) === undefined);
  }

  /** Claims one more block of the pool. False: it has none left, or this node may have no more, or none yet. */
  async claimOf(pool: Pool): Promise<boolean> {
    const { autoAllocateBlocks, maxBlocksPerHost } = this.#options.view.settings();
    if (this.placement.awaitsCidr) return false;
    if (!autoAllocateBlocks || (maxBlocksPerHost > 0 && this.placement.ownBlocks().length >= maxBlocksPerHost))
      return false;
    for (let cidr = this.placement.nextBlock(pool); cidr !== undefined; cidr = this.placement.nextBlock(pool)) {
      if (await this.claim(cidr)) return true;
    }
    return false;
  }

  claim(cidr: Prefix): Promise<boolean> {
    return this.#writer.claim(cidr, (block) => keepBlock(block, this.keeping(block)));
  }

  /** Changes a block by hand, and then as every pass does. */
  change(cidr: Prefix, change: (block: Block) => Block): Promise<Kept | undefined> {
    return this.#writer.change(blockName(cidr), (block) => keepBlock(change(block), this.keeping(block)));
  }

  /**
   * A node that gives addresses has at least one block of each family, so that it has routes and a tunnel address; and
   * one inside of its node CIDR, if that came after the first block.
   */
  async #ensureFirst(): Promise<void> {
    const { view, active } = this.#options;
    if (!active()) return;
    for (const family of [4, 6] as const) {
      const answer = poolsFor(view.pools(), { family, use: 'Workload', nodeLabels: view.nodeLabels() });
      if (answer.kind !== 'pools') continue;
      const having = answer.pools.filter((pool) => this.placement.ownBlocks(pool).length > 0);
      for (const pool of having) if (this.placement.lacksHome(pool)) await this.claimOf(pool);
      if (having.length > 0) continue;
      for (const pool of answer.pools) if (await this.claimOf(pool)) break;
    }
  }

  /** Own blocks that nobody uses go back: at once when their pool is not for this node, else when others have room. */
  async #giveBackIdle(): Promise<void> {
    const { clock, idleMs = IDLE_MS } = this.#options;
    const own = this.placement.ownBlocks();
    for (const cidr of this.#idleSince.keys())
      if (!own.some(({ block }) => block.cidr === cidr)) this.#idleSince.delete(cidr);
    for (const known of own) {
      const { cidr } = known.block;
      const busy =
        !isIdle(known.block) || (this.#options.holdings.blocks.get(cidr) ?? []).some((addr) => this.#isBusy(addr));
      if (busy) {
        this.#idleSince.delete(cidr);
        continue;
      }
      const since = this.#idleSince.get(cidr) ?? clock.now();
      this.#idleSince.set(cidr, since);
      const { usable } = this.keeping(known.block);
      const due = !usable || (clock.now() - since >= idleMs && this.#othersHaveRoom(known.block, own));
      if (due && (await this.#writer.giveBack(known))) own.splice(own.indexOf(known), 1);
    }
  }

  #isBusy(addr: Addr): boolean {
    return this.#options.store.rests(addr) || this.isTaken(addr);
  }

  /** Whether a pod here has it, or is about to. */
  isTaken(addr: Addr): boolean {
    return this.#pinned.has(addr) || this.#options.store.holderOf(addr) !== undefined;
  }

  /** Another own block of the same pool is less than half full; for one inside of the node CIDR another inside of it. */
  #othersHaveRoom(block: Block, own: readonly KnownBlock[]): boolean {
    const pool = poolOfBlock(this.#options.view.pools(), block.cidr);
    return own.some(({ block: other }) => {
      if (other === block || !pool || !containsPrefix(pool.cidr, other.cidr)) return false;
      if (this.placement.isHome(block) && !this.placement.isHome(other)) return false;
      const used = [...other.given.values()].filter((one) => !isStock(one)).length;
      return used * 2 < blockCapacity(other.cidr);
    });
  }
}

/** What stands in the API for a pod's address, in Calico's words. */
function allocationOf({ network, containerId, podNamespace, podName }: LocalEndpoint, node: string): Allocation {
  const notes = { ...(podNamespace && { namespace: podNamespace }), ...(podName && { pod: podName }) };
  return { handle: `${network}.${containerId}`, node, notes };
}
