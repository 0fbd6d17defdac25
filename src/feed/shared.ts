/** What several parts of an agent follow, each kind by one watch: there are as many watches as nodes times kinds. */

import type { ApiClient } from '#feed/client.ts';
import { ifServed } from '#feed/if-served.ts';
import { listWatch, Reflector, type ReflectorOptions } from '#feed/reflector.ts';
import { IP_POOLS, IPAM_BLOCKS, type IpamBlock, type IpPool } from '#spec/calico.ts';
import { NODES, type Node } from '#spec/k8s.ts';

/** Whoever needs them runs them; see `Reflector.run`. */
export interface SharedReflectors {
  readonly nodes: Reflector<Node>;
  readonly pools: Reflector<IpPool>;
  readonly blocks: Reflector<IpamBlock>;
}

export function sharedReflectors(client: ApiClient, options: ReflectorOptions = {}): SharedReflectors {
  return {
    nodes: new Reflector(listWatch(client, NODES), options),
    pools: new Reflector(ifServed(listWatch(client, IP_POOLS)), options),
    blocks: new Reflector(ifServed(listWatch(client, IPAM_BLOCKS)), options),
  };
}
