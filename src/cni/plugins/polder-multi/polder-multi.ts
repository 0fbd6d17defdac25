/** The CNI plugin `polder-multi`: see README.md of this folder. */

import { needFreeNames } from '#cni/parts/free-names.ts';
import { tryEach } from '#cni/parts/try-each.ts';
import { Undo } from '#cni/parts/undo.ts';
import type { Plugin, PluginCall } from '#cni/plugin.ts';
import {
  type Attachment,
  addAttachment,
  askStatus,
  checkAttachment,
  delAttachment,
  delAttachments,
  withResult,
} from '#cni/plugins/polder-multi/attachment.ts';
import { type CachedPod, type Found, PodCache } from '#cni/plugins/polder-multi/cache.ts';
import { type Annotations, Cluster } from '#cni/plugins/polder-multi/cluster.ts';
import { askedGateways, moveDefaultRoutes, withoutDefaultRoutes } from '#cni/plugins/polder-multi/default-route.ts';
import { gc } from '#cni/plugins/polder-multi/gc.ts';
import { refuseUnread } from '#cni/plugins/polder-multi/isolation.ts';
import { type Attached, networkStatus } from '#cni/plugins/polder-multi/network-status.ts';
import {
  annotationsOf,
  attachmentsOf,
  delegatesOf,
  podOf,
  selectionsOf,
  uidOf,
} from '#cni/plugins/polder-multi/networks.ts';
import { attachmentsStillKnown, logBroken } from '#cni/plugins/polder-multi/recover.ts';
import { isStatic } from '#cni/plugins/polder-multi/static-pod.ts';
import { PolderError } from '#spec/errors.ts';
import { type CniResult, EMPTY_RESULT } from '#wire/cni/result.ts';

export const polderMulti: Plugin = { type: 'polder-multi', add, del, check, status, gc };

async function add(call: PluginCall): Promise<CniResult> {
  refuseUnread(call);
  using cluster = new Cluster(call);
  const annotations = await annotationsOf(call, cluster);
  const selections = selectionsOf(annotations, podOf(call));
  const attachments = await attachmentsOf(call, annotations, selections, cluster);
  const before = call.conf.prevResult;
  if (!before && !attachments[0]?.isDefault) {
    const what = `delegates is missing, and ${call.conf.type} does not come after the plugin of the default network`;
    throw new PolderError('cni-config', { what });
  }
  // Most pods have only what the plugins before us made.
  if (attachments.length === 0) return before ?? EMPTY_RESULT;
  needFreeNames(
    call,
    attachments.map(({ ifname }) => ifname),
  );
  const [only, ...further] = attachments;
  if (only && further.length === 0 && isOfConf(only, call)) return addPlain(call, only);
  await using undo = new Undo(call.host.log);
  const attached = await attachAll(call, attachments, undo);
  const result = before ? withoutDefaultRoutes(before, askedGateways(attached)) : (attached[0]?.result ?? EMPTY_RESULT);
  await tellPod(call, cluster, annotations, before ? [chained(call, result), ...attached] : attached);
  undo.keep();
  return result;
}

/** Then DEL and CHECK find all in the configuration, and nothing is written down. */
function isOfConf({ config, defaultRoute = [] }: Attachment, call: PluginCall): boolean {
  return delegatesOf(call)[0]?.config === config && defaultRoute.length === 0;
}

async function addPlain(call: PluginCall, attachment: Attachment): Promise<CniResult> {
  await using undo = new Undo(call.host.log);
  undo.defer(() => delAttachment(call, attachment));
  const result = await addAttachment(call, attachment);
  undo.keep();
  return result;
}

/**
 * The runtime's result goes before what was written down: plugins behind us in the chain may have changed the default
 * network since, and then it says so.
 */
function withPrevResult({ conf: { prevResult } }: PluginCall, attachments: readonly Attachment[]): Attachment[] {
  return attachments.map((one) => (one.isDefault && prevResult ? withResult(one, prevResult) : one));
}

/** One after another, each written down before it is begun; then the default routes go where they were asked for. */
async function attachAll(call: PluginCall, attachments: readonly Attachment[], undo: Undo): Promise<readonly Added[]> {
  const cache = new PodCache(call);
  undo.defer(() => cache.remove(call.request));
  const done: Added[] = [];
  for (const attachment of attachments) {
    await cache.put(podWith(call, [...done.map(asCached), attachment]));
    undo.defer(() => delAttachment(call, attachment));
    done.push({ attachment, result: await addAttachment(call, attachment) });
  }
  const routed = moveDefaultRoutes(call, done);
  await cache.put(podWith(call, routed.map(asCached)));
  return routed;
}

interface Added {
  readonly attachment: Attachment;
  readonly result: CniResult;
}

function asCached({ attachment, result }: Added): Attachment {
  return withResult(attachment, result);
}

function podWith({ conf, request }: PluginCall, attachments: readonly Attachment[]): CachedPod {
  const { containerId, ifname, args } = request;
  return { network: conf.name, containerId, ifname, args: [...args], attachments };
}

/** What the plugins before us made, as a network of the pod. */
function chained({ conf, request }: PluginCall, result: CniResult): Attached {
  return { attachment: { network: conf.name, isDefault: true, ifname: request.ifname }, result };
}

/** The pod works also without its annotation: a failure is only logged. */
async function tellPod(
  call: PluginCall,
  cluster: Cluster,
  annotations: Annotations,
  attached: readonly Attached[],
): Promise<void> {
  const pod = podOf(call);
  if (!pod) return;
  const uid = isStatic(annotations) ? undefined : uidOf(call);
  try {
    await cluster.writeStatus(pod, uid, networkStatus(attached));
  } catch (error) {
    call.host.log.warn({ pod, error: String(error) }, 'cannot write the network-status of a pod');
  }
}

async function del(call: PluginCall): Promise<void> {
  const cache = new PodCache(call);
  await delAttachments(call, await attachmentsToDelete(call, await cache.find(call.request)));
  await cache.remove(call.request);
}

async function attachmentsToDelete(call: PluginCall, found: Found): Promise<readonly Attachment[]> {
  if (found.kind === 'pod') return found.pod.attachments;
  if (found.kind === 'nothing') return withPrevResult(call, delegatesOf(call));
  logBroken(call, found);
  return withPrevResult(call, await attachmentsStillKnown(call));
}

async function check(call: PluginCall): Promise<void> {
  const found = await new PodCache(call).find(call.request);
  if (found.kind === 'broken') logBroken(call, found);
  const attachments = found.kind === 'pod' ? found.pod.attachments : delegatesOf(call);
  for (const attachment of withPrevResult(call, attachments)) await checkAttachment(call, attachment);
}

async function status(call: PluginCall): Promise<void> {
  refuseUnread(call);
  await tryEach(delegatesOf(call), (attachment) => askStatus(call, attachment));
}
