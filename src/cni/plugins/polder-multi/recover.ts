/** Pods whose file in the cache is broken: what can still be known of their networks, so that DEL leaves as little as it can. */

import type { PluginCall } from '#cni/plugin.ts';
import type { Attachment } from '#cni/plugins/polder-multi/attachment.ts';
import type { BrokenFile } from '#cni/plugins/polder-multi/cache.ts';
import { Cluster } from '#cni/plugins/polder-multi/cluster.ts';
import { annotationsOf, delegatesOf, lookupsOf, podOf, selectionsOf } from '#cni/plugins/polder-multi/networks.ts';

export function logBroken({ host }: PluginCall, { file, why }: BrokenFile): void {
  host.log.warn({ file, error: why }, 'what was written down of a pod’s networks cannot be read');
}

/** As an ADD would have them now; without what cannot be looked up any more, which is logged. */
export async function attachmentsStillKnown(call: PluginCall): Promise<Attachment[]> {
  using cluster = new Cluster(call);
  const found: Attachment[] = [];
  for (const look of await lookups(call, cluster)) {
    try {
      found.push(await look());
    } catch (error) {
      logLost(call, error);
    }
  }
  return found;
}

async function lookups(call: PluginCall, cluster: Cluster): Promise<readonly (() => Promise<Attachment>)[]> {
  const delegates = delegatesOf(call);
  try {
    const annotations = await annotationsOf(call, cluster);
    return lookupsOf(asFirst(call, delegates), annotations, selectionsOf(annotations, podOf(call)), cluster);
  } catch (error) {
    logLost(call, error);
    return delegates.map((one) => () => Promise.resolve(one));
  }
}

/** At DEL a prevResult is our own, unless others made the default network. */
function asFirst(call: PluginCall, delegates: readonly Attachment[]): PluginCall {
  const { prevResult: _, ...conf } = call.conf;
  return delegates.length > 0 ? { ...call, conf } : call;
}

function logLost(call: PluginCall, error: unknown): void {
  const { containerId } = call.request;
  call.host.log.warn({ container: containerId, error: String(error) }, 'a network of a pod may be left behind');
}
