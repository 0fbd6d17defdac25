/** Pods' addresses on this node: from its CIDRs, or from what it holds of pools, as the cluster's profile says. */

import { join } from 'node:path';
import type { EndpointStore } from '#cni/ipam/store.ts';
import type { Log } from '#cni/log.ts';
import { Holdings } from '#cni/pools/holdings.ts';
import { PoolKeeper } from '#cni/pools/keeper.ts';
import { PoolBook } from '#cni/pools/pools.ts';
import { tunnelAddressesOf } from '#cni/pools/tunnels.ts';
import { PoolsView } from '#cni/pools/view.ts';
import type { NodePods } from '#cni/server/leaks.ts';
import type { ApiClient } from '#feed/client.ts';
import { systemClock } from '#feed/clock.ts';
import type { SharedReflectors } from '#feed/shared.ts';
import type { Addr } from '#net/addr.ts';
import type { Profile } from '#spec/cluster.ts';

export interface NodeAddressesOptions {
  readonly node: string;
  readonly stateDir: string;
  readonly client: ApiClient;
  /** Nodes, pools and blocks, which the agent's snapshots are made of too. */
  readonly shared: SharedReflectors;
  readonly store: EndpointStore;
  readonly log: Log;
  /** The cluster's profile, once it is known. */
  readonly profile: () => Profile | undefined;
  /** Told of each failure of a watch. */
  readonly onError: (source: string, error: unknown, waitMs: number) => void;
  /** See `KeeperOptions.doubt`. */
  readonly doubt?: (addrs: readonly Addr[]) => void;
  /** See `KeeperOptions.idleMs`, `KeeperOptions.cidrWaitMs` and `PoolBookOptions.waitMs`. */
  readonly idleMs?: number;
  readonly cidrWaitMs?: number;
  readonly waitMs?: number;
}

export class NodeAddresses {
  readonly #view: PoolsView;
  readonly #keeper: PoolKeeper;
  readonly book: PoolBook;

  /** @throws PolderError journal-damaged, cni-io */
  constructor(options: NodeAddressesOptions) {
    const { node, stateDir, client, shared, store, log, profile, onError, doubt, idleMs, cidrWaitMs, waitMs } = options;
    const clock = systemClock;
    const holdings = new Holdings(join(stateDir, 'ipam-holdings.json'));
    const view = new PoolsView(client, shared, node, join(stateDir, 'ipam-pools.json'), { onError });
    const keeper = new PoolKeeper({
      node,
      client,
      view,
      holdings,
      store,
      clock,
      log,
      active: () => usesPools(profile()),
      tunnels: () => tunnelAddressesOf(view.pools(), profile() ?? { encryption: 'none' }),
      ...(doubt !== undefined && { doubt }),
      ...(idleMs !== undefined && { idleMs }),
      ...(cidrWaitMs !== undefined && { cidrWaitMs }),
    });
    this.#view = view;
    this.#keeper = keeper;
    this.book = new PoolBook({ node, view, holdings, store, keeper, clock, ...(waitMs !== undefined && { waitMs }) });
  }

  /** The cluster's settings may have changed. */
  trigger(): void {
    this.#keeper.trigger();
  }

  /** This node's pods, for those who look for leaks. */
  get pods(): NodePods {
    const view = this.#view;
    return {
      get synced() {
        return view.podsSynced;
      },
      find: (namespace, name) => view.knownPod(namespace, name),
      ask: (namespace, name) => view.podNow(namespace, name),
    };
  }

  /** The node has had a first look, and holds what it found. */
  get ready(): boolean {
    return this.#keeper.passed;
  }

  /** One pass now: when it returns the API has what this node has. @throws ApiError, ApiUnreachable */
  pass(): Promise<void> {
    return this.#keeper.pass();
  }

  /** Runs until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#view.run(signal, () => this.#keeper.trigger()), this.#keeper.run(signal)]);
  }
}

function usesPools(profile: Profile | undefined): boolean | undefined {
  return profile === undefined ? undefined : profile.ipam === 'pools';
}
