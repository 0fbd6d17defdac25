/**
 * Blocks as this node writes them: each write is a compare-and-swap on the IPAMBlock, and what the node may give
 * follows what the API took.
 */

import { isIdle, type Kept } from '#calc/ipam/keep.ts';
import type { Holdings } from '#cni/pools/holdings.ts';
import type { KnownBlock, PoolsView } from '#cni/pools/view.ts';
import { isAlreadyExists, isConflict, isNotFound } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import { affinityName, type Block, blockName, newBlock, sameBlock, writeBlock } from '#spec/block.ts';
import { type AffinityState, BLOCK_AFFINITIES, type BlockAffinity, IPAM_BLOCKS } from '#spec/calico.ts';

/** What is to become of a block; pure, asked again after each conflict. */
export type Change = (block: Block) => Kept;

/** More conflicts in a row than this, and others get their turn first. */
const TRIES = 8;

export interface WriterOptions {
  readonly node: string;
  readonly client: ApiClient;
  readonly view: PoolsView;
  readonly holdings: Holdings;
}

export class BlockWriter {
  readonly #options: WriterOptions;
  /** Claims whose last step is still to be said. */
  readonly #unconfirmed = new Set<Prefix>();

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Brings a block to what `change` makes of it, and the holdings with it. Undefined: it is gone, or was written by
   * others each time. @throws ApiError, ApiUnreachable
   */
  async change(name: string, change: Change): Promise<Kept | undefined> {
    const { client, view } = this.#options;
    for (let i = 0; i < TRIES; i++) {
      const known = i === 0 ? view.block(name) : await view.refresh(name);
      if (known === undefined) return undefined;
      const kept = change(known.block);
      this.#letGo(known.block.cidr, kept.ours);
      if (sameBlock(known.block, kept.block)) {
        this.#hold(kept);
        return kept;
      }
      try {
        view.observe(await client.update(IPAM_BLOCKS, writeBlock(kept.block, known.object)));
        this.#hold(kept);
        return kept;
      } catch (error) {
        if (isNotFound(error)) return undefined;
        if (!isConflict(error)) throw error;
      }
    }
    return undefined;
  }

  /** Before the API can give them to others. */
  #letGo(cidr: Prefix, ours: readonly Addr[]): void {
    const { holdings } = this.#options;
    const stays = new Set(ours);
    holdings.set(
      cidr,
      (holdings.blocks.get(cidr) ?? []).filter((addr) => stays.has(addr)),
    );
  }

  /** After the API has it so. */
  #hold({ block, ours }: Kept): void {
    this.#options.holdings.set(block.cidr, ours);
  }

  /** A block that is gone cannot be given from. */
  forget(cidr: Prefix): void {
    this.#options.holdings.set(cidr, []);
  }

  /**
   * Claims a block, as Calico does: first the wish (a pending BlockAffinity), then the block itself, whose creation
   * decides, then the confirmation. False: another node was first. @throws ApiError, ApiUnreachable
   */
  async claim(cidr: Prefix, change: Change): Promise<boolean> {
    const { client, view, node } = this.#options;
    await this.#ensureAffinity(cidr);
    const kept = change(newBlock(cidr, node));
    try {
      view.observe(await client.create(IPAM_BLOCKS, writeBlock(kept.block)));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const there = await view.refresh(blockName(cidr));
      if (there?.block.owner === node) return (await this.change(blockName(cidr), change)) !== undefined;
      await this.#dropAffinity(cidr);
      return false;
    }
    this.#hold(kept);
    this.#unconfirmed.add(cidr);
    await this.confirm();
    return true;
  }

  async #ensureAffinity(cidr: Prefix): Promise<void> {
    const { client, node } = this.#options;
    try {
      await client.create(BLOCK_AFFINITIES, affinityOf(node, cidr, 'pending'));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  async #dropAffinity(cidr: Prefix): Promise<void> {
    const { client, node } = this.#options;
    await client.delete(BLOCK_AFFINITIES, { name: affinityName(node, cidr) }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  /** Says the last step of claims for which the API was away, and of those of an earlier life. */
  async confirm(): Promise<void> {
    for (const cidr of [...this.#unconfirmed]) {
      await this.#setState(cidr, 'confirmed');
      this.#unconfirmed.delete(cidr);
    }
  }

  /** What the last life of this agent left half done: claims to confirm, claims that came to nothing. */
  async resume(): Promise<void> {
    const { client, view, node } = this.#options;
    const all = (await client.list(BLOCK_AFFINITIES)).items;
    for (const { spec } of all.filter(({ spec: { node: owner } }) => owner === node)) {
      const cidr = spec.cidr as Prefix;
      const owned = view.block(blockName(cidr))?.block.owner === node;
      if (owned && spec.state !== 'confirmed') this.#unconfirmed.add(cidr);
      if (!owned) await this.#dropAffinity(cidr);
    }
    await this.confirm();
  }

  async #setState(cidr: Prefix, state: AffinityState): Promise<void> {
    const { client, node } = this.#options;
    const name = affinityName(node, cidr);
    try {
      await client.patch(BLOCK_AFFINITIES, { name }, { spec: { state } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.create(BLOCK_AFFINITIES, affinityOf(node, cidr, state));
    }
  }

  /** Gives an own block back that nobody uses. False: somebody does after all. @throws ApiError, ApiUnreachable */
  async giveBack({ object, block }: KnownBlock): Promise<boolean> {
    const { client, holdings } = this.#options;
    const { name = '', resourceVersion } = object.metadata;
    if (!isIdle(block)) return false;
    const kept = holdings.blocks.get(block.cidr) ?? [];
    this.forget(block.cidr);
    try {
      await this.#setState(block.cidr, 'pendingDeletion');
      await client.delete(IPAM_BLOCKS, { name }, resourceVersion === undefined ? {} : { resourceVersion });
    } catch (error) {
      if (isNotFound(error)) return true;
      // It still is this node's, as the API has it: nothing was given away.
      if (isConflict(error)) holdings.set(block.cidr, kept);
      this.#unconfirmed.add(block.cidr);
      if (!isConflict(error)) throw error;
      return false;
    }
    await this.#dropAffinity(block.cidr);
    return true;
  }

  /** Deletes a block that belongs to nobody and is empty. */
  async sweep({ object, block }: KnownBlock): Promise<void> {
    const { name = '', resourceVersion } = object.metadata;
    if (block.owner !== undefined || block.given.size > 0 || resourceVersion === undefined) return;
    await this.#options.client.delete(IPAM_BLOCKS, { name }, { resourceVersion }).catch((error: unknown) => {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    });
  }
}

function affinityOf(node: string, cidr: Prefix, state: AffinityState): BlockAffinity {
  return {
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'BlockAffinity',
    metadata: { name: affinityName(node, cidr) },
    spec: { state, node, cidr, deleted: 'false', type: 'host' },
  };
}
