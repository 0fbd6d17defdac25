/** One network of a pod on one interface: the chain of its plugins, in process or executed. */

import { type Delegate, delegateAdd, delegateVerb } from '#cni/delegate.ts';
import { tryEach } from '#cni/parts/try-each.ts';
import type { PluginCall } from '#cni/plugin.ts';
import { type NetworkList, type PluginConf, parseConflist, pluginStdin } from '#cni/runtime/conflist.ts';
import type { Addr } from '#net/addr.ts';
import { PolderError } from '#spec/errors.ts';
import type { ValidAttachment } from '#wire/cni/conf.ts';
import { isObject, type JsonObject, parseObject } from '#wire/cni/json.ts';
import type { Command } from '#wire/cni/request.ts';
import { type CniResult, encodeResult } from '#wire/cni/result.ts';
import { atLeast } from '#wire/cni/version.ts';

/** As JSON: it is what DEL, CHECK and GC find in the cache. */
export interface Attachment {
  /** As network-status names it: `namespace/name`, or the name of the configuration. */
  readonly network: string;
  /** The pod's first network, which the cluster is made of. */
  readonly isDefault: boolean;
  readonly ifname: string;
  /** Text of the configuration or list. */
  readonly config: string;
  readonly capabilityArgs: JsonObject;
  /** For `args.cni`. */
  readonly cniArgs: JsonObject;
  /** Gateways of the pod's default route, which is to be here; absent or empty: as the network says. */
  readonly defaultRoute?: readonly Addr[];
  /** Of the last plugin; absent until ADD is done. */
  readonly result?: JsonObject;
}

/** Runs ADD through the chain. What it did is undone by `del`, also after a failure. */
export async function addAttachment(call: PluginCall, attachment: Attachment): Promise<CniResult> {
  const list = listOf(attachment);
  let result: CniResult | undefined;
  for (const plugin of list.plugins) {
    const before = result && encodeResult(result, list.cniVersion);
    result = await delegateAdd(call, delegateOf(list, plugin, attachment, before));
  }
  return result ?? { interfaces: [], ips: [], routes: [], dns: {} };
}

/** Runs DEL through the chain, backwards; every plugin is tried. @throws what the first that failed said */
export async function delAttachment(call: PluginCall, attachment: Attachment): Promise<void> {
  const list = listOf(attachment);
  const before = atLeast(list.cniVersion, '0.4.0') ? attachment.result : undefined;
  await tryEach(list.plugins.toReversed(), (plugin) =>
    delegateVerb(call, delegateOf(list, plugin, attachment, before), 'DEL'),
  );
}

/** Backwards, each tried. @throws what the first failure said; what is left is found again by the next DEL */
export async function delAttachments(call: PluginCall, attachments: readonly Attachment[]): Promise<void> {
  await tryEach(attachments.toReversed(), (attachment) => delAttachment(call, attachment));
}

export async function checkAttachment(call: PluginCall, attachment: Attachment): Promise<void> {
  const list = listOf(attachment);
  if (list.disableCheck || !atLeast(list.cniVersion, '0.4.0')) return;
  for (const plugin of list.plugins) {
    await delegateVerb(call, delegateOf(list, plugin, attachment, attachment.result), 'CHECK');
  }
}

/** STATUS of each plugin, for those versions that have it. @throws what the first that failed said */
export async function askStatus(call: PluginCall, attachment: Attachment): Promise<void> {
  await askEach(call, listOf(attachment), attachment, 'STATUS');
}

/**
 * GC of each plugin, for those versions that have it, and unless the list forbids it.
 * @throws what the first that failed said
 */
export async function collectGarbage(
  call: PluginCall,
  attachment: Attachment,
  valid: readonly ValidAttachment[],
): Promise<void> {
  const list = listOf(attachment);
  // The second key is what 1.1.0 was published with, before it was corrected; libcni writes both.
  const extra = { 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid };
  if (!list.disableGC) await askEach(call, list, attachment, 'GC', extra);
}

async function askEach(
  call: PluginCall,
  list: NetworkList,
  attachment: Attachment,
  command: Extract<Command, 'STATUS' | 'GC'>,
  extra: JsonObject = {},
): Promise<void> {
  if (!atLeast(list.cniVersion, '1.1.0')) return;
  await tryEach(list.plugins, (plugin) => {
    const to = delegateOf(list, plugin, attachment);
    return delegateVerb(call, { ...to, conf: { ...to.conf, ...extra } }, command);
  });
}

/** The network as its plugins know it: what they keep their belongings apart by. */
export function networkNameOf(attachment: Attachment): string {
  return listOf(attachment).name;
}

/** With what ADD gave, in the version that its plugins speak. */
export function withResult(attachment: Attachment, result: CniResult): Attachment {
  return { ...attachment, result: encodeResult(result, listOf(attachment).cniVersion) };
}

function listOf({ network, config }: Attachment): NetworkList {
  return parseConflist(config, `the network ${network}`);
}

function delegateOf(list: NetworkList, plugin: PluginConf, attachment: Attachment, before?: JsonObject): Delegate {
  const { ifname, capabilityArgs, cniArgs } = attachment;
  const stdin = pluginStdin(list, plugin, { ...(before && { prevResult: before }), capabilityArgs });
  const conf = parseObject(stdin, 'the configuration');
  return { type: plugin.type, conf: withArgs(conf, cniArgs), request: { ifname } };
}

function withArgs(conf: JsonObject, cniArgs: JsonObject): JsonObject {
  if (Object.keys(cniArgs).length === 0) return conf;
  const args = isObject(conf.args) ? conf.args : {};
  return { ...conf, args: { ...args, cni: { ...(isObject(args.cni) ? args.cni : {}), ...cniArgs } } };
}

/**
 * A request that no plugin of the network listens to would be lost without a word.
 * @throws PolderError cni-config naming the capability; also for a network that leads back to us
 */
export function checkAttachable(attachment: Attachment, self: string, asked: JsonObject): void {
  const list = listOf(attachment);
  const declared = new Set(list.plugins.flatMap(({ capabilities }) => capabilities));
  const deaf = Object.keys(asked).filter((name) => !declared.has(name));
  const refuse = (what: string) => {
    throw new PolderError('cni-config', { what: `network ${attachment.network}: ${what}` });
  };
  if (deaf.length > 0) refuse(`the pod asks for ${deaf.join(' and ')}, but no plugin declares this capability`);
  if (list.plugins.some(({ type }) => type === self)) refuse(`${self} cannot be a plugin of it`);
}
