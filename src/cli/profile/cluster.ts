/** A cluster's profile, pools and nodes, read from its API and written to it. */

import { type ClusterView, MODE_WORDS, type PoolChange, type ProfileChange } from '#calc/profiles/change.ts';
import type { ApiClient } from '#feed/client.ts';
import { clusterFrom } from '#feed/cluster-view.ts';
import { listIfServed } from '#feed/if-served.ts';
import { FELIX_CONFIGURATIONS, IP_POOLS } from '#spec/calico.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import { PolderError } from '#spec/errors.ts';
import { CONFIG_MAPS, NODES, type Node } from '#spec/k8s.ts';

/** The objects that say how packets are to go, but for the nodes: these change on their own. */
export interface Settings {
  /** The cluster with these nodes. */
  viewOf(nodes: readonly Node[]): ClusterView;
}

/** @throws PolderError 'no-settings', ApiError, ApiUnreachable */
export async function readSettings(client: ApiClient, signal: AbortSignal): Promise<Settings> {
  const [settings, pools, felix] = await Promise.all([
    client.find(CONFIG_MAPS, CONFIG_MAP),
    listIfServed(client, IP_POOLS, signal),
    listIfServed(client, FELIX_CONFIGURATIONS, signal),
  ]);
  const viewOf = (nodes: readonly Node[]) => {
    const { value, problems } = clusterFrom({ nodes, settings, pools, felix, blocks: [] }, '', undefined);
    if (value === undefined) throw new PolderError('no-settings', { why: problems.join('; ') });
    return value;
  };
  viewOf([]);
  return { viewOf };
}

export async function readNodes(client: ApiClient, signal: AbortSignal): Promise<readonly Node[]> {
  return (await client.list(NODES, { signal })).items;
}

/**
 * Writes the pools, and the profile's name last: whoever ends on the way, the same command goes on from there, and until
 * then the pools say how packets go.
 */
export async function writeChange(client: ApiClient, { to, pools }: ProfileChange): Promise<void> {
  for (const pool of pools) await client.patch(IP_POOLS, { name: pool.name }, { spec: specOf(pool) });
  await client.patch(CONFIG_MAPS, CONFIG_MAP, { data: { profile: to.name } });
}

function specOf({ to }: PoolChange): object {
  return { ipipMode: MODE_WORDS[to.ipip], vxlanMode: MODE_WORDS[to.vxlan] };
}
