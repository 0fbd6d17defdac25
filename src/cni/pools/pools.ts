/**
 * Addresses of pools for pods: from what the node holds, at once; else the API is asked for more: free addresses of
 * own blocks, a further block, one borrowed from another node's.
 */

import { freePlaces, lender } from '#calc/ipam/choose.ts';
import { isStock, stockOf } from '#calc/ipam/keep.ts';
import { poolOfAddr, poolsFor, whyNot } from '#calc/ipam/pools.ts';
import { type AddressSource, listSource } from '#cni/ipam/source.ts';
import type { EndpointStore } from '#cni/ipam/store.ts';
import { type AddressAsk, type AddressBook, NODE_CIDRS, type Take } from '#cni/pools/book.ts';
import { factsOf, type PodFacts } from '#cni/pools/facts.ts';
import type { Holdings } from '#cni/pools/holdings.ts';
import type { PoolKeeper } from '#cni/pools/keeper.ts';
import type { PoolsView } from '#cni/pools/view.ts';
import { ApiUnreachable } from '#feed/api-error.ts';
import type { Clock } from '#feed/clock.ts';
import { type Addr, type Family, familyOf } from '#net/addr.ts';
import { containsPrefix, type Prefix, prefixFamily, prefixOf } from '#net/prefix.ts';
import { addrAt, type Block, blockName, give, placeOf } from '#spec/block.ts';
import { PolderError } from '#spec/errors.ts';
import type { NodeNetwork } from '#spec/node-network.ts';
import type { Pool } from '#spec/pool.ts';

export interface PoolBookOptions {
  readonly node: string;
  readonly view: PoolsView;
  readonly holdings: Holdings;
  readonly store: EndpointStore;
  readonly keeper: PoolKeeper;
  readonly clock: Clock;
  /** How long a pod waits for an address that others hold, ms. Default 8 000. */
  readonly waitMs?: number;
}

const WAIT_MS = 8_000;
/** Others are asked again after this long, ms. */
const ASK_AGAIN_MS = 250;
/** Free addresses of an own block that are taken at once. */
const GRAB = 8;

/** What a pod wants of one family. */
interface Want {
  readonly family: Family;
  readonly pools: readonly Pool[];
  readonly addr: Addr | undefined;
}

export class PoolBook implements AddressBook {
  readonly #options: PoolBookOptions;

  constructor(options: PoolBookOptions) {
    this.#options = options;
  }

  sources(network: NodeNetwork): readonly AddressSource[] {
    if (network.ipam !== 'pools') return NODE_CIDRS.sources(network);
    return this.#wants([], undefined).map((want) => this.#source(want));
  }

  async take<T>(ask: AddressAsk, network: NodeNetwork, take: Take<T>): Promise<T> {
    const facts = await this.#facts(ask);
    const wanted = ask.wanted.length > 0 ? ask.wanted : (facts?.addrs ?? []);
    if (network.ipam !== 'pools') return NODE_CIDRS.take({ ...ask, wanted }, network, take);
    using pins = new DisposableStack();
    const wants = this.#wants(wanted, facts);
    const deadline = this.#options.clock.now() + (this.#options.waitMs ?? WAIT_MS);
    // What was there a moment ago another pod may have by now.
    while (!wants.every((want) => this.#has(want))) {
      for (const want of wants) await this.#secure(want, deadline, pins);
    }
    return take(
      wants.map((want) => this.#source(want)),
      wanted,
    );
  }

  async #facts({ namespace, pod }: AddressAsk): Promise<PodFacts | undefined> {
    if (namespace === undefined || pod === undefined) return undefined;
    const { view } = this.#options;
    return factsOf(await view.pod(namespace, pod), await view.namespace(namespace));
  }

  /** One for each family that has a pool, or of which an address or a pool is asked for. */
  #wants(wanted: readonly Addr[], facts: PodFacts | undefined): Want[] {
    const wants = ([4, 6] as const).map((family) => this.#want(family, wanted, facts));
    const found = wants.filter((want) => want !== undefined);
    if (found.length > 0) return found;
    if (!this.#options.view.synced) {
      throw new PolderError('cni-try-later', { what: 'The API server has not yet said which IPPools there are' });
    }
    throw new PolderError('addresses-exhausted', {
      cidr: 'any IPPool that this node may use',
      used: 0,
      resting: 0,
      until: '',
    });
  }

  #want(family: Family, wanted: readonly Addr[], facts: PodFacts | undefined): Want | undefined {
    const { view } = this.#options;
    const named = facts?.pools[family];
    const addr = wanted.find((one) => familyOf(one) === family);
    const question = {
      family,
      use: 'Workload',
      nodeLabels: view.nodeLabels(),
      ...(facts && { namespaceLabels: facts.namespaceLabels }),
      ...(named && { named }),
    } as const;
    const answer = poolsFor(view.pools(), question);
    if (answer.kind === 'refused')
      throw new PolderError('pool-unusable', { ...answer.refusal, who: 'the pod or its namespace' });
    if (addr !== undefined) return { family, addr, pools: [this.#poolFor(addr, answer.pools, question)] };
    return answer.pools.length > 0 ? { family, pools: answer.pools, addr } : undefined;
  }

  /** An address by name may also come from a pool that is manual, but not from one that is not for this pod. */
  #poolFor(addr: Addr, usable: readonly Pool[], question: Parameters<typeof whyNot>[1]): Pool {
    const all = this.#options.view.pools();
    const pool = poolOfAddr(usable, addr) ?? (question.named ? undefined : poolOfAddr(all, addr));
    const cidrs = all.map(({ cidr }) => cidr).filter((cidr) => prefixFamily(cidr) === question.family);
    if (pool === undefined)
      throw new PolderError('address-outside', { address: addr, cidr: `the pools (${cidrs.join(', ') || 'none'})` });
    const why = whyNot(pool, question);
    if (why !== undefined) throw new PolderError('pool-unusable', { pool: pool.name, who: `address ${addr}`, why });
    return pool;
  }

  /** What the node holds of these pools; an address by name is a source of its own. */
  #source({ family, pools, addr }: Want): AddressSource {
    const label = pools.map(({ name, cidr }) => `pool ${name} (${cidr})`).join(', ');
    if (addr !== undefined) return listSource(label, family, this.#options.holdings.has(addr) ? [addr] : []);
    const { holdings } = this.#options;
    const own = [...holdings.blocks].filter(([block]) => pools.some((pool) => containsPrefix(pool.cidr, block)));
    return listSource(
      label,
      family,
      own.flatMap(([, addrs]) => addrs),
    );
  }

  #has(want: Want): boolean {
    const { store, holdings } = this.#options;
    if (want.addr === undefined) return store.nextOf(this.#source(want)) !== undefined;
    const holder = store.holderOf(want.addr);
    if (holder !== undefined) throw new PolderError('address-taken', { address: want.addr, holder });
    return holdings.has(want.addr);
  }

  /** Returns when the node holds what is wanted; the last thing that it does is to look. */
  async #secure(want: Want, deadline: number, pins: DisposableStack): Promise<void> {
    const { keeper, clock, view } = this.#options;
    if (want.addr !== undefined) pins.use(keeper.pin(want.addr));
    while (!this.#has(want)) {
      // An address that rests here is no reason to take one from others, if nothing else can be had.
      const got = await this.#getMore(want, pins);
      if (got || this.#has(want)) continue;
      if (clock.now() >= deadline || !view.connected) throw this.#noneLeft(want);
      await keeper.changed(ASK_AGAIN_MS);
    }
  }

  async #getMore(want: Want, pins: DisposableStack): Promise<boolean> {
    const { keeper, view } = this.#options;
    if (!view.connected) throw away(want);
    try {
      return await keeper.exclusively(async () => {
        if (this.#has(want)) return true;
        return want.addr === undefined ? await this.#getAny(want, pins) : await this.#getNamed(want.addr, want.pools);
      });
    } catch (error) {
      if (error instanceof ApiUnreachable) throw away(want);
      throw error;
    }
  }

  async #getAny({ pools }: Want, pins: DisposableStack): Promise<boolean> {
    const { keeper, view } = this.#options;
    for (const pool of pools) if (await this.#grabOwn(pool)) return true;
    if (keeper.placement.awaitsCidr) return false;
    for (const pool of pools) if (await keeper.claimOf(pool)) return true;
    if (view.settings().strictAffinity) return false;
    for (const pool of pools) if (await this.#borrow(pool, pins)) return true;
    return false;
  }

  /** Free addresses of own blocks, which were left for others. */
  async #grabOwn(pool: Pool): Promise<boolean> {
    const { keeper, node } = this.#options;
    for (const { block } of keeper.placement.ownBlocks(pool)) {
      if (this.#free(block).length === 0 || keeper.placement.isAstray(block)) continue;
      let places: number[] = [];
      using grabbed = new DisposableStack();
      const kept = await keeper.change(block.cidr, (now) => {
        places = this.#free(now).slice(0, GRAB);
        for (const place of places) grabbed.use(keeper.pin(addrAt(now.cidr, place)));
        return give(now, places, stockOf(node));
      });
      if (kept && places.length > 0) return true;
    }
    return false;
  }

  #free(block: Block): number[] {
    return freePlaces(block, this.#options.view.reservations());
  }

  async #borrow(pool: Pool, pins: DisposableStack): Promise<boolean> {
    const { keeper, node, view } = this.#options;
    const blocks = view.blocks().map(({ block }) => block);
    const from = lender(blocks, pool, node, view.reservations());
    if (from === undefined) return false;
    let place: number | undefined;
    await keeper.change(from.cidr, (now) => {
      place = this.#free(now)[0];
      if (place === undefined) return now;
      pins.use(keeper.pin(addrAt(now.cidr, place)));
      return give(now, [place], stockOf(node));
    });
    return place !== undefined;
  }

  /** False: another node has it in stock and was asked for it. */
  async #getNamed(addr: Addr, [pool]: readonly Pool[]): Promise<boolean> {
    const { keeper, view, node } = this.#options;
    const cidr = pool && prefixOf(addr, pool.blockSize);
    if (cidr === undefined) return false;
    const known = await view.refresh(blockName(cidr));
    if (known === undefined) return keeper.claim(cidr);
    const { block } = known;
    const place = placeOf(cidr, addr) ?? -1;
    const now = block.given.get(place);
    if (now !== undefined && now.node !== node && !isStock(now)) throw taken(addr, now);
    if (block.owner !== node && now?.node !== node && view.settings().strictAffinity) {
      throw new PolderError('address-strict', { address: addr, block: cidr, owner: block.owner ?? 'nobody' });
    }
    if (now === undefined) return (await keeper.change(cidr, (b) => this.#takePlace(b, place))) !== undefined;
    if (now.node === node) return this.#takeBack(cidr, place, addr);
    await keeper.change(cidr, (b) => ({ ...b, wishes: new Map([...b.wishes, [addr, node]]) }));
    return false;
  }

  #takePlace(block: Block, place: number): Block {
    return block.given.has(place) ? block : give(block, [place], stockOf(this.#options.node));
  }

  /** The API says that this node has it: if nothing but a tunnel device does, it can be given. */
  async #takeBack(cidr: Prefix, place: number, addr: Addr): Promise<boolean> {
    const { keeper, holdings } = this.#options;
    const kept = await keeper.change(cidr, (block) => block);
    const now = kept?.block.given.get(place);
    if (now !== undefined && !holdings.has(addr)) throw taken(addr, now);
    return holdings.has(addr);
  }

  #noneLeft(want: Want): PolderError {
    const { store } = this.#options;
    if (want.addr !== undefined) {
      return new PolderError('address-taken', {
        address: want.addr,
        holder: 'another node, which does not give it up,',
      });
    }
    const source = this.#source(want);
    const rested = store.nextRested();
    const until = rested === undefined ? '' : ` (the next is free in ${Math.ceil(rested / 1000)} s)`;
    const resting = this.#resting(source);
    return new PolderError('addresses-exhausted', { cidr: source.label, used: source.size - resting, resting, until });
  }

  #resting(source: AddressSource): number {
    const { holdings, store } = this.#options;
    return [...holdings.blocks.values()].flat().filter((addr) => source.has(addr) && store.rests(addr)).length;
  }
}

function taken(
  addr: Addr,
  { node, notes, handle }: { node: string; notes: Readonly<Record<string, string>>; handle: string },
): PolderError {
  const pod = notes.pod === undefined ? handle : `pod ${notes.namespace ?? 'default'}/${notes.pod}`;
  return new PolderError('address-taken', { address: addr, holder: node === '' ? pod : `${pod} on node ${node}` });
}

function away({ addr }: Want): PolderError {
  const what = addr === undefined ? 'This node holds no free address' : `This node does not hold address ${addr}`;
  return new PolderError('cni-try-later', { what: `${what}, and the API server does not answer` });
}
