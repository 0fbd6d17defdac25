/**
 * Nodes and settings of the API, with this node's own endpoints -> `Synced<Snapshot>`.
 *
 * The only maker of a `Synced`: none exists before every list has ended once. A burst of changes gives one snapshot,
 * a change that alters nothing (a node's heartbeat) gives none.
 */

import type { ApiClient } from '#feed/client.ts';
import { type Clock, systemClock } from '#feed/clock.ts';
import { type Cluster, type ClusterObjects, clusterFrom } from '#feed/cluster-view.ts';
import { ifServed } from '#feed/if-served.ts';
import { type ListWatch, listWatch, Reflector, type ReflectorOptions } from '#feed/reflector.ts';
import { ServiceFeed, type ServiceSources, serviceSources } from '#feed/service-feed.ts';
import type { SharedReflectors } from '#feed/shared.ts';
import {
  BGP_CONFIGURATIONS,
  BGP_FILTERS,
  BGP_PEERS,
  type BgpConfigurationObject,
  type BgpFilterObject,
  type BgpPeerObject,
  FELIX_CONFIGURATIONS,
  type FelixConfiguration,
  type IpamBlock,
  type IpPool,
} from '#spec/calico.ts';
import type { Snapshot, Synced } from '#spec/cluster.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { CONFIG_MAPS, type ConfigMap, keyText, type Node } from '#spec/k8s.ts';
import { saysServices } from '#spec/service-addresses.ts';

export interface SnapshotSources extends SharedReflectors {
  /** The one ConfigMap with the settings, or more: others are ignored. */
  readonly settings: ListWatch<ConfigMap>;
  readonly felix: ListWatch<FelixConfiguration>;
  readonly bgpConfigurations: ListWatch<BgpConfigurationObject>;
  readonly bgpPeers: ListWatch<BgpPeerObject>;
  readonly bgpFilters: ListWatch<BgpFilterObject>;
  /** Followed only where BGP says something of Services. */
  readonly services: ServiceSources;
}

export interface SnapshotFeedOptions extends ReflectorOptions {
  /** Name of this node. */
  readonly node: string;
  /** The pods attached here, complete, whenever asked. */
  readonly endpoints: () => readonly LocalEndpoint[];
  /** How long changes gather before one snapshot is made of them, ms. */
  readonly gatherMs?: number;
  /** Told when the sentences about what is wrong in the cluster's objects change. */
  readonly onProblems?: (problems: readonly string[]) => void;
}

/** @param shared which others may follow too */
export function snapshotSources(client: ApiClient, shared: SharedReflectors): SnapshotSources {
  return {
    ...shared,
    settings: listWatch(client, CONFIG_MAPS, {
      namespace: CONFIG_MAP.namespace,
      fieldSelector: `metadata.name=${CONFIG_MAP.name}`,
    }),
    felix: ifServed(listWatch(client, FELIX_CONFIGURATIONS)),
    bgpConfigurations: ifServed(listWatch(client, BGP_CONFIGURATIONS)),
    bgpPeers: ifServed(listWatch(client, BGP_PEERS)),
    bgpFilters: ifServed(listWatch(client, BGP_FILTERS)),
    services: serviceSources(client),
  };
}

/** A reflector of whatever kind. */
interface Source extends Pick<Reflector<Node>, 'run' | 'synced'> {
  onChange(handler: () => void): Disposable;
}

export class SnapshotFeed {
  readonly #options: SnapshotFeedOptions;
  readonly #clock: Clock;
  readonly #nodes: Reflector<Node>;
  readonly #settings: Reflector<ConfigMap>;
  readonly #pools: Reflector<IpPool>;
  readonly #blocks: Reflector<IpamBlock>;
  readonly #felix: Reflector<FelixConfiguration>;
  readonly #bgpConfigurations: Reflector<BgpConfigurationObject>;
  readonly #bgpPeers: Reflector<BgpPeerObject>;
  readonly #bgpFilters: Reflector<BgpFilterObject>;
  readonly #services: ServiceFeed;
  readonly #handlers = new Set<(snapshot: Synced<Snapshot>) => void>();
  #cluster: Cluster | undefined;
  #current: Synced<Snapshot> | undefined;
  #printed = '';
  #problems: readonly string[] = [];
  #gathering = false;

  constructor(sources: SnapshotSources, options: SnapshotFeedOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#nodes = sources.nodes;
    this.#settings = new Reflector(sources.settings, options);
    this.#pools = sources.pools;
    this.#blocks = sources.blocks;
    this.#felix = new Reflector(sources.felix, options);
    this.#bgpConfigurations = new Reflector(sources.bgpConfigurations, options);
    this.#bgpPeers = new Reflector(sources.bgpPeers, options);
    this.#bgpFilters = new Reflector(sources.bgpFilters, options);
    this.#services = new ServiceFeed(sources.services, { ...options, onChange: () => this.#gather() });
  }

  /** The newest; undefined until every list has ended and the settings are there. */
  get current(): Synced<Snapshot> | undefined {
    return this.#current;
  }

  /** What is wrong in the cluster's objects now, as sentences. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** True while the API answers. */
  get connected(): boolean {
    return this.#nodes.connectedSince !== undefined && this.#settings.connectedSince !== undefined;
  }

  /** Calls the handler with the newest snapshot, if there is one, and with each that follows. */
  onSnapshot(handler: (snapshot: Synced<Snapshot>) => void): Disposable {
    if (this.#current !== undefined) handler(this.#current);
    this.#handlers.add(handler);
    return { [Symbol.dispose]: () => this.#handlers.delete(handler) };
  }

  /** The endpoints of this node are no longer what they were. */
  endpointsChanged(): void {
    this.#gather();
  }

  /** Runs until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    using stack = new DisposableStack();
    stack.use(this.#services);
    const gather = () => this.#gather();
    for (const reflector of this.#all()) stack.use(reflector.onChange(gather));
    await Promise.all(this.#all().map((reflector) => reflector.run(signal)));
  }

  #all(): readonly Source[] {
    const bgp = [this.#bgpConfigurations, this.#bgpPeers, this.#bgpFilters];
    return [this.#nodes, this.#settings, this.#pools, this.#blocks, this.#felix, ...bgp];
  }

  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    void this.#clock.sleep(this.#options.gatherMs ?? 2).then(() => {
      this.#gathering = false;
      this.#refresh();
    });
  }

  #refresh(): void {
    if (!this.#all().every(({ synced }) => synced)) return;
    const view = clusterFrom(this.objects(), this.#options.node, this.#cluster?.config);
    if (view.value) this.#services.follow(saysServices(view.value.bgp, this.#options.node));
    this.#tellProblems([...view.problems, ...this.#services.problems]);
    if (view.value === undefined || !this.#services.synced) return;
    this.#cluster = view.value;
    const snapshot = { ...view.value, local: { node: this.#options.node, endpoints: this.#options.endpoints() } };
    const printed = JSON.stringify(snapshot);
    if (printed === this.#printed) return;
    this.#printed = printed;
    // The one place where the brand is made: both lists have ended, and the endpoints are complete by contract.
    this.#current = snapshot as Snapshot as Synced<Snapshot>;
    for (const handler of this.#handlers) handler(this.#current);
  }

  /** What the snapshot is made of. */
  objects(): ClusterObjects {
    const services = this.#services.objects;
    return {
      nodes: this.#nodes.store.values(),
      settings: this.#settings.store.get(keyText(CONFIG_MAP)),
      pools: this.#pools.store.values(),
      blocks: this.#blocks.store.values(),
      felix: this.#felix.store.values(),
      bgp: {
        configurations: this.#bgpConfigurations.store.values(),
        peers: this.#bgpPeers.store.values(),
        filters: this.#bgpFilters.store.values(),
      },
      ...(services && { services }),
    };
  }

  #tellProblems(problems: readonly string[]): void {
    if (problems.join('\n') === this.#problems.join('\n')) return;
    this.#problems = problems;
    this.#options.onProblems?.(problems);
  }
}
