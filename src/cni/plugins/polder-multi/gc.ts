/** GC: what pods left behind that the runtime no longer names, and no more than that. */

import { tryEach } from '#cni/parts/try-each.ts';
import type { PluginCall } from '#cni/plugin.ts';
import { collectGarbage, delAttachments, networkNameOf } from '#cni/plugins/polder-multi/attachment.ts';
import { type BrokenFile, type CachedPod, fileOf, PodCache } from '#cni/plugins/polder-multi/cache.ts';
import { delegatesOf } from '#cni/plugins/polder-multi/networks.ts';
import { logBroken } from '#cni/plugins/polder-multi/recover.ts';
import type { ValidAttachment } from '#wire/cni/conf.ts';

/**
 * Pods of ours that are not named lose all their networks; the plugins of `delegates` clean up by themselves, too.
 * @throws what the first failure said, after everything was tried
 */
export async function gc(call: PluginCall): Promise<void> {
  const cache = new PodCache(call);
  const { pods, broken } = await cache.list();
  for (const one of broken) logBroken(call, one);
  const { stale = [], living = [] } = Object.groupBy(pods, ageIn(call));
  const clear = [
    () => tryEach(stale, (pod) => removePod(call, cache, pod)),
    ...(isLivingAmong(call, broken) ? [] : [() => askDelegates(call, living)]),
  ];
  await tryEach(clear, (step) => step());
}

/** Pods of another network in the same folder are not ours to judge. */
function ageIn({ conf }: PluginCall): (pod: CachedPod) => 'stale' | 'living' {
  const named = new Set((conf.validAttachments ?? []).map((a) => `${a.containerID}/${a.ifname}`));
  return (pod) => (pod.network === conf.name && !named.has(`${pod.containerId}/${pod.ifname}`) ? 'stale' : 'living');
}

/** Nobody can say then which interfaces of the pod are valid, and a delegate would take them away. */
function isLivingAmong({ conf }: PluginCall, broken: readonly BrokenFile[]): boolean {
  const files = new Set(
    (conf.validAttachments ?? []).map(({ containerID, ifname }) => fileOf({ containerId: containerID, ifname })),
  );
  return broken.some(({ file }) => files.has(file));
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
