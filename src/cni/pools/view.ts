/** What the API says of pools, blocks and of this node's pods, as last heard. */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { NodeCidrs } from '#calc/ipam/choose.ts';
import type { CidrNode } from '#calc/ipam/home.ts';
import { isNotFound } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import { ifServed } from '#feed/if-served.ts';
import { listWatch, Reflector, type ReflectorOptions } from '#feed/reflector.ts';
import type { SharedReflectors } from '#feed/shared.ts';
import type { Prefix } from '#net/prefix.ts';
import { type Block, readBlock } from '#spec/block.ts';
import {
  IP_RESERVATIONS,
  IPAM_BLOCKS,
  IPAM_CONFIGS,
  type IpamBlock,
  type IpamConfig,
  type IpPool,
  type IpReservation,
} from '#spec/calico.ts';
import { readNetworks } from '#spec/calico-networks.ts';
import { type KubeObject, NAMESPACES, type Namespace, type Node, PODS, type Pod, type Resource } from '#spec/k8s.ts';
import { type Pool, readPool } from '#spec/pool.ts';
import type { Labels } from '#spec/selector.ts';

/** An IPAMBlock and what it says. */
export interface KnownBlock {
  readonly object: IpamBlock;
  readonly block: Block;
}

export interface IpamSettings {
  readonly strictAffinity: boolean;
  readonly autoAllocateBlocks: boolean;
  /** 0: as many as it needs. */
  readonly maxBlocksPerHost: number;
}

/** What must be known to give addresses without the API; the file of it is this node's own. */
interface SavedView {
  readonly version: number;
  readonly pools: readonly IpPool[];
  readonly reservations: readonly IpReservation[];
  readonly configs: readonly IpamConfig[];
  readonly labels: Labels;
}

const VERSION = 1;
const NOTHING_SAVED: SavedView = { version: VERSION, pools: [], reservations: [], configs: [], labels: {} };

export class PoolsView {
  readonly #path: string;
  readonly #client: ApiClient;
  readonly #node: string;
  readonly #pools: Reflector<IpPool>;
  readonly #blocks: Reflector<IpamBlock>;
  readonly #reservations: Reflector<IpReservation>;
  readonly #configs: Reflector<IpamConfig>;
  readonly #nodes: Reflector<Node>;
  readonly #pods: Reflector<Pod>;
  readonly #namespaces: Reflector<Namespace>;
  /** Parsed blocks by the version of their object. */
  readonly #parsed = new Map<string, { readonly version: string; readonly known: KnownBlock | undefined }>();

  #saved: SavedView;

  /** @param path where what was last heard is kept, for a start while the API is away */
  constructor(
    client: ApiClient,
    { nodes, pools, blocks }: SharedReflectors,
    node: string,
    path: string,
    options: ReflectorOptions = {},
  ) {
    this.#path = path;
    this.#saved = load(path);
    this.#client = client;
    this.#node = node;
    const watch = <T extends KubeObject>(resource: Resource<T>, fieldSelector?: string): Reflector<T> =>
      new Reflector(
        ifServed(listWatch(client, resource, fieldSelector === undefined ? {} : { fieldSelector })),
        options,
      );
    this.#pools = pools;
    this.#blocks = blocks;
    this.#reservations = watch(IP_RESERVATIONS);
    this.#configs = watch(IPAM_CONFIGS);
    this.#nodes = nodes;
    this.#pods = watch(PODS, `spec.nodeName=${node}`);
    this.#namespaces = watch(NAMESPACES);
  }

  /** Every list has ended once. */
  get synced(): boolean {
    return this.#all().every(({ synced }) => synced);
  }

  /** The API answers, as far as is known. */
  get connected(): boolean {
    return this.#blocks.connectedSince !== undefined;
  }

  /** Runs until the signal ends it; calls back after each change of what matters for blocks. */
  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    using stack = new DisposableStack();
    for (const one of [this.#blocks, this.#pools, this.#reservations, this.#configs, this.#nodes]) {
      stack.use(one.onChange(changed));
    }
    for (const one of [this.#pods, this.#namespaces]) {
      stack.use(one.onChange(({ type }) => type === 'synced' && changed()));
    }
    await Promise.all(this.#all().map((one) => one.run(signal)));
  }

  #all() {
    return [this.#pools, this.#blocks, this.#reservations, this.#configs, this.#nodes, this.#pods, this.#namespaces];
  }

  /** Pools by name. */
  pools(): readonly Pool[] {
    const objects = this.synced ? this.#pools.store.values() : this.#saved.pools;
    const pools = objects.map(readPool);
    return pools.filter((pool) => pool !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Blocks by network. */
  blocks(): readonly KnownBlock[] {
    const known = [...this.#blocks.store.objects].map(([key, object]) => this.#parse(key, object));
    for (const key of this.#parsed.keys()) if (!this.#blocks.store.objects.has(key)) this.#parsed.delete(key);
    return known.filter((one) => one !== undefined);
  }

  block(name: string): KnownBlock | undefined {
    const object = this.#blocks.store.get(name);
    return object && this.#parse(name, object);
  }

  #parse(key: string, object: IpamBlock): KnownBlock | undefined {
    const version = object.metadata.resourceVersion ?? '';
    const before = this.#parsed.get(key);
    if (before?.version === version) return before.known;
    const block = readBlock(object);
    const known = block && { object, block };
    this.#parsed.set(key, { version, known });
    return known;
  }

  /** The own write is known before the watch brings it. */
  observe(object: IpamBlock): void {
    this.#blocks.store.observe(object);
  }

  /** The block as the API has it now; undefined when it is gone. */
  async refresh(name: string): Promise<KnownBlock | undefined> {
    try {
      this.observe(await this.#client.get(IPAM_BLOCKS, { name }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return undefined;
    }
    return this.block(name);
  }

  /** Keeps what must be known to give addresses without the API. @throws when the disk refuses */
  save(): void {
    if (!this.synced) return;
    const next: SavedView = {
      version: VERSION,
      pools: this.#pools.store.values(),
      reservations: this.#reservations.store.values(),
      configs: this.#configs.store.values(),
      labels: this.nodeLabels(),
    };
    const text = JSON.stringify(next);
    if (text === JSON.stringify(this.#saved)) return;
    writeFileSync(`${this.#path}.new`, text, { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
    this.#saved = next;
  }

  reservations(): readonly Prefix[] {
    const objects = this.synced ? this.#reservations.store.values() : this.#saved.reservations;
    return objects.flatMap(({ spec }) => readNetworks(spec?.reservedCIDRs ?? []));
  }

  settings(): IpamSettings {
    const objects = this.synced ? this.#configs.store.values() : this.#saved.configs;
    const spec = objects.find(({ metadata }) => metadata.name === 'default')?.spec;
    return {
      strictAffinity: spec?.strictAffinity ?? false,
      autoAllocateBlocks: spec?.autoAllocateBlocks ?? true,
      maxBlocksPerHost: spec?.maxBlocksPerHost ?? 0,
    };
  }

  nodeCidrs(): NodeCidrs {
    const all = this.#nodes.store.values();
    return {
      own: all.filter(({ metadata: { name } }) => name === this.#node).flatMap(cidrsOf),
      others: all.filter(({ metadata: { name } }) => name !== this.#node).flatMap(cidrsOf),
    };
  }

  /** All Nodes, as far as their node CIDRs go. */
  cidrNodes(): CidrNode[] {
    return this.#nodes.store.values().map((node) => ({
      name: node.metadata.name ?? '',
      created: Date.parse(node.metadata.creationTimestamp ?? ''),
      hasCidr: cidrsOf(node).length > 0,
    }));
  }

  nodeLabels(): Labels {
    if (!this.synced) return this.#saved.labels;
    return this.#nodes.store.get(this.#node)?.metadata.labels ?? {};
  }

  nodeAnnotations(): Readonly<Record<string, string>> | undefined {
    const node = this.#nodes.store.get(this.#node);
    return node && (node.metadata.annotations ?? {});
  }

  /** The pod, from what was heard or else from the API; undefined if there is none or nobody answers. */
  pod(namespace: string, name: string): Promise<Pod | undefined> {
    return this.#ask(PODS, this.#pods, `${namespace}/${name}`, { namespace, name });
  }

  /** This node's pods, as last heard. */
  get podsSynced(): boolean {
    return this.#pods.synced;
  }

  knownPod(namespace: string, name: string): Pod | undefined {
    return this.#pods.store.get(`${namespace}/${name}`);
  }

  /** The pod as the API has it now, if it is on this node. @throws ApiError, ApiUnreachable */
  async podNow(namespace: string, name: string): Promise<Pod | undefined> {
    const pod = await this.#client.find(PODS, { namespace, name });
    return pod?.spec.nodeName === this.#node ? pod : undefined;
  }

  namespace(name: string): Promise<Namespace | undefined> {
    return this.#ask(NAMESPACES, this.#namespaces, name, { name });
  }

  async #ask<T extends KubeObject>(
    resource: Resource<T>,
    reflector: Reflector<T>,
    key: string,
    at: { readonly namespace?: string; readonly name: string },
  ): Promise<T | undefined> {
    const known = reflector.store.get(key);
    if (known !== undefined) return known;
    if (!this.connected) return undefined;
    return this.#client.get(resource, at, AbortSignal.timeout(ASK_MS)).catch(() => undefined);
  }
}

function cidrsOf({ spec }: Node): Prefix[] {
  return readNetworks(spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []));
}

/** Nothing, if there is no file that can be read: then nothing is given before the API answers. */
function load(path: string): SavedView {
  try {
    const saved: SavedView = JSON.parse(readFileSync(path, 'utf8'));
    return saved.version === VERSION ? saved : NOTHING_SAVED;
  } catch {
    return NOTHING_SAVED;
  }
}

/** A pod's start does not wait longer for what the API says of the pod. */
const ASK_MS = 2_000;
