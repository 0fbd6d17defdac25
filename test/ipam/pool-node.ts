/** A node's addresses as its agent has them, without the kernel: journal, holdings, watches, keeper. */

import { join } from 'node:path';
import { keyOf } from '#cni/ipam/record.ts';
import { EndpointStore } from '#cni/ipam/store.ts';
import type { AddressAsk } from '#cni/pools/book.ts';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { sharedReflectors } from '#feed/shared.ts';
import type { Addr } from '#net/addr.ts';
import { parseMac } from '#net/mac.ts';
import { NodeAddresses } from '#serve/agent/node-addresses.ts';
import { PROFILES } from '#spec/cluster.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import type { NodeNetwork } from '#spec/node-network.ts';

export interface PoolNodeOptions {
  readonly name: string;
  readonly stateDir: string;
  readonly kubeconfig: string;
  readonly coolDownMs?: number;
  readonly idleMs?: number;
  /** Default 0: the test's nodes get their node CIDRs with the Node, or never. */
  readonly cidrWaitMs?: number;
  readonly waitMs?: number;
}

const NETWORK: NodeNetwork = {
  attachment: 'routed',
  bridge: '',
  ipam: 'pools',
  hostIfPrefix: 'cali',
  podCidrs: [],
  mtu: 1450,
};
const CNI_NETWORK = 'k8s-pod-network';
const MAC = parseMac('0a:58:0a:f4:01:02');
const quiet = { info() {}, warn() {}, error() {} };

export class PoolNode implements AsyncDisposable {
  readonly name: string;
  readonly store: EndpointStore;
  readonly addresses: NodeAddresses;
  readonly #client: ApiClient;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor({ name, stateDir, kubeconfig, coolDownMs = 0, idleMs, cidrWaitMs = 0, waitMs }: PoolNodeOptions) {
    this.name = name;
    this.store = new EndpointStore({
      path: join(stateDir, 'journal'),
      bootId: 'boot',
      now: Date.now,
      coolDownMs,
    });
    this.#client = new ApiClient(loadKubeconfig(kubeconfig), { timeoutMs: 5_000 });
    this.addresses = new NodeAddresses({
      node: name,
      stateDir,
      client: this.#client,
      shared: sharedReflectors(this.#client),
      store: this.store,
      log: quiet,
      profile: () => PROFILES['calico-vxlan'],
      onError: () => {},
      cidrWaitMs,
      ...(idleMs !== undefined && { idleMs }),
      ...(waitMs !== undefined && { waitMs }),
    });
    // As the CNI server does: what was not finished had no answer.
    for (const endpoint of this.store.all()) if (!this.store.isUp(keyOf(endpoint))) this.store.free(keyOf(endpoint));
    this.#running = this.addresses.run(this.#stop.signal);
  }

  /** As the plugin's ADD, the kernel aside. @throws PolderError */
  async add(containerId: string, ask: Partial<AddressAsk> = {}): Promise<readonly Addr[]> {
    const endpoint = await this.addresses.book.take({ wanted: [], ...ask }, NETWORK, (sources, wanted) =>
      this.store.allocate({ sources, wanted, make: (addrs) => endpointOf(containerId, addrs, ask) }),
    );
    this.store.up(keyOf(endpoint));
    return endpoint.addrs;
  }

  del(containerId: string): void {
    this.store.free(keyOf({ network: CNI_NETWORK, containerId, ifname: 'eth0' }));
  }

  /** What its containers have. */
  held(): ReadonlyMap<string, readonly Addr[]> {
    return new Map(this.store.all().map(({ containerId, addrs }) => [containerId, addrs]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#client.close();
    this.store[Symbol.dispose]();
  }
}

function endpointOf(
  containerId: string,
  addrs: readonly Addr[],
  { namespace, pod }: Partial<AddressAsk>,
): LocalEndpoint {
  return {
    containerId,
    ifname: 'eth0',
    network: CNI_NETWORK,
    attachment: 'routed',
    hostIfname: `cali${containerId}`.slice(0, 15),
    addrs,
    mac: MAC,
    ...(namespace !== undefined && { podNamespace: namespace }),
    ...(pod !== undefined && { podName: pod }),
  };
}
