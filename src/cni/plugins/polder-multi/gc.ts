/** GC: what pods left behind that the runtime no longer names, and no more than that. */

import { tryEach } from '#cni/parts/try-each.ts';
import type { PluginCall } from '#cni/plugin.ts';
import { collectGarbage, delAttachments, networkNameOf } from '#cni/plugins/polder-multi/attachment.ts';
import { type CachedPod, PodCache } from '#cni/plugins/polder-multi/cache.ts';
import { delegatesOf } from '#cni/plugins/polder-multi/networks.ts';
import type { ValidAttachment } from '#wire/cni/conf.ts';

/**
 * Pods of ours that are not named lose all their networks; the plugins of `delegates` clean up by themselves, too.
 * @throws what the first failure said, after everything was tried
 */
export async function gc(call: PluginCall): Promise<void> {
  const cache = new PodCache(call);
  const pods = Map.groupBy(await cache.list(), staleIn(call));
  const clear = [
    () => tryEach(pods.get(true) ?? [], (pod) => removePod(call, cache, pod)),
    () => askDelegates(call, pods.get(false) ?? []),
  ];
  await tryEach(clear, (step) => step());
}

/** Pods of another network in the same folder are not ours to judge. */
function staleIn({ conf }: PluginCall): (pod: CachedPod) => boolean {
  const named = new Set((conf.validAttachments ?? []).map((a) => `${a.containerID}/${a.ifname}`));
  return (pod) => pod.network === conf.name && !named.has(`${pod.containerId}/${pod.ifname}`);
}

async function removePod(call: PluginCall, cache: PodCache, pod: CachedPod): Promise<void> {
  const request = { ...call.request, ...pod, args: new Map(pod.args) };
  await delAttachments({ ...call, request }, pod.attachments);
  await cache.remove(pod);
}

/**
 * The runtime knows one interface of a pod. A plugin that is asked for its own network sees the pod's others there, too
 * (the second of `delegates`, a definition that gives itself the name of the default network): they are as valid.
 */
async function askDelegates(call: PluginCall, living: readonly CachedPod[]): Promise<void> {
  const named = call.conf.validAttachments ?? [];
  await tryEach(delegatesOf(call), (delegate) =>
    collectGarbage(call, delegate, [...named, ...attachmentsIn(networkNameOf(delegate), living)]),
  );
}

function attachmentsIn(network: string, pods: readonly CachedPod[]): ValidAttachment[] {
  return pods.flatMap(({ containerId, attachments }) =>
    attachments
      .filter((one) => networkNameOf(one) === network)
      .map(({ ifname }) => ({ containerID: containerId, ifname })),
  );
}
