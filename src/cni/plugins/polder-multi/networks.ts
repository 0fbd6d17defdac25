/** Which networks a pod is to have: from the configuration, the pod's annotations and the definitions in the API. */

import type { PluginCall } from '#cni/plugin.ts';
import { type Attachment, checkAttachable } from '#cni/plugins/polder-multi/attachment.ts';
import type { Annotations, Cluster } from '#cni/plugins/polder-multi/cluster.ts';
import { isolationOf, refuseForeign } from '#cni/plugins/polder-multi/isolation.ts';
import { findNetwork } from '#cni/runtime/load.ts';
import { PolderError } from '#spec/errors.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import { isObject, type JsonObject, lookup, optList, optString, parseObject, wrong } from '#wire/cni/json.ts';
import {
  DEFAULT_NETWORK_ANNOTATION,
  NETWORKS_ANNOTATION,
  type NetworkSelection,
  parseNetworkSelections,
} from '#wire/cni/network-selection.ts';
import { isSpecVersion, needSpecVersion } from '#wire/cni/version.ts';

/** Annotations of the pod by capability, as containerd passes them: then the API need not be asked. */
const POD_ANNOTATIONS = 'io.kubernetes.cri.pod-annotations';
/** Where networks of the whole cluster are defined, unless `multusNamespace` says otherwise. */
const SYSTEM_NAMESPACE = 'kube-system';
const DEFAULT_CONF_DIR = '/etc/cni/multus/net.d';

export interface Pod {
  readonly namespace: string;
  readonly name: string;
}

/** Undefined for a container that is of no pod. */
export function podOf({ request }: PluginCall): Pod | undefined {
  const namespace = request.args.get('K8S_POD_NAMESPACE');
  const name = request.args.get('K8S_POD_NAME');
  return namespace && name ? { namespace, name } : undefined;
}

/** The pod's UID as the kubelet has it; of a static pod the API has another. */
export function uidOf({ request }: PluginCall): string | undefined {
  return request.args.get('K8S_POD_UID') || undefined;
}

/** @throws PolderError cni-try-later, cni-config */
export async function annotationsOf(call: PluginCall, cluster: Cluster): Promise<Annotations> {
  const given = lookup(call.conf.runtimeConfig, POD_ANNOTATIONS);
  if (isObject(given)) return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, String(value)]));
  const pod = podOf(call);
  return pod ? cluster.annotations(pod, uidOf(call)) : {};
}

/** Those that the pod asks for, beside its default network. @throws PolderError cni-config */
export function selectionsOf(annotations: Annotations, pod: Pod | undefined): NetworkSelection[] {
  return parseNetworkSelections(annotations[NETWORKS_ANNOTATION] ?? '', namespaceOf(pod));
}

function namespaceOf(pod: Pod | undefined): string {
  return pod?.namespace ?? 'default';
}

/**
 * The default network and those that every pod gets, of the configuration's `delegates`. Empty where the plugin comes
 * after others in a chain: they made the default network.
 * @throws PolderError cni-config
 */
export function delegatesOf({ conf, request }: PluginCall): Attachment[] {
  const delegates = optList(conf.raw, 'delegates', '', (item) => item) ?? [];
  return delegates.map((delegate, i) => {
    const attachment: Attachment = {
      network: optString(delegate, 'name', `delegates[${i}].`) ?? conf.name,
      isDefault: i === 0,
      ifname: i === 0 ? request.ifname : `net${i}`,
      config: textOf(delegate, conf, conf.name),
      capabilityArgs: i === 0 ? conf.runtimeConfig : {},
      cniArgs: i === 0 ? conf.cniArgs : {},
    };
    checkAttachable(attachment, conf.type, {});
    return attachment;
  });
}

/** All networks of the pod, in the order in which they are added. @throws PolderError cni-config, cni-try-later */
export async function attachmentsOf(...pod: Parameters<typeof lookupsOf>): Promise<Attachment[]> {
  return Promise.all(lookupsOf(...pod).map((look) => look()));
}

/** The same, each still to be looked up: one whose definition is gone need not stand before the others. */
export function lookupsOf(
  call: PluginCall,
  annotations: Annotations,
  selections: readonly NetworkSelection[],
  cluster: Cluster,
): readonly Lookup[] {
  const may = isolationOf(call.conf);
  for (const one of selections) refuseForeign(may, namespaceOf(podOf(call)), one);
  const delegates = delegatesOf(call);
  const before = [...defaultOf(call, annotations, delegates, cluster), ...delegates.slice(1).map(known)];
  const taken = new Set([call.request.ifname, ...delegates.slice(1).map((one) => one.ifname)]);
  for (const { ifname } of selections) {
    if (ifname !== undefined && taken.has(ifname))
      wrong(`annotation ${NETWORKS_ANNOTATION}: interface`, 'must not be that of another network', ifname);
  }
  const names = ifnames(selections, taken);
  return [...before, ...selections.map((one, i) => () => attachmentOf(call, one, names[i] ?? '', cluster))];
}

type Lookup = () => Promise<Attachment>;

function known(attachment: Attachment): Lookup {
  return () => Promise.resolve(attachment);
}

/** net1, net2, …: the number is the place among the pod's further networks. */
function ifnames(selections: readonly NetworkSelection[], taken: ReadonlySet<string>): string[] {
  const used = new Set([...taken, ...selections.flatMap(({ ifname }) => ifname ?? [])]);
  return selections.map(({ ifname }, i) => {
    if (ifname !== undefined) return ifname;
    let number = i + 1;
    while (used.has(`net${number}`)) number++;
    used.add(`net${number}`);
    return `net${number}`;
  });
}

/** The pod's own choice, or the first of `delegates`, if there is one. */
function defaultOf(
  call: PluginCall,
  annotations: Annotations,
  delegates: readonly Attachment[],
  cluster: Cluster,
): readonly Lookup[] {
  const text = annotations[DEFAULT_NETWORK_ANNOTATION];
  if (text === undefined || text.trim() === '') return delegates.slice(0, 1).map(known);
  const selection = chosenDefault(call, text);
  return [
    async () => {
      const attachment = await attachmentOf(call, selection, call.request.ifname, cluster);
      const capabilityArgs = { ...call.conf.runtimeConfig, ...attachment.capabilityArgs };
      return { ...attachment, isDefault: true, capabilityArgs };
    },
  ];
}

function chosenDefault(call: PluginCall, text: string): NetworkSelection {
  if (call.conf.prevResult) {
    const what = `${DEFAULT_NETWORK_ANNOTATION} needs a configuration in which ${call.conf.type} is the first plugin`;
    throw new PolderError('cni-config', { what });
  }
  const system = optString(call.conf.raw, 'multusNamespace', '') ?? SYSTEM_NAMESPACE;
  const [selection, ...more] = parseNetworkSelections(text, system, DEFAULT_NETWORK_ANNOTATION);
  if (!selection || more.length > 0) {
    throw new PolderError('cni-config', { what: `annotation ${DEFAULT_NETWORK_ANNOTATION}: it must name one network` });
  }
  // The cluster's own networks are there to be chosen from.
  if (selection.namespace !== system) refuseForeign(isolationOf(call.conf), namespaceOf(podOf(call)), selection);
  return selection;
}

async function attachmentOf(
  call: PluginCall,
  selection: NetworkSelection,
  ifname: string,
  cluster: Cluster,
): Promise<Attachment> {
  const { namespace, name, ips, mac, capabilities, defaultRoute } = selection;
  const asked = { ...(ips && { ips }), ...(mac && { mac }), ...capabilities };
  const attachment: Attachment = {
    network: `${namespace}/${name}`,
    isDefault: false,
    ifname,
    config: await configOf(call, { namespace, name }, cluster),
    capabilityArgs: asked,
    cniArgs: selection.cniArgs ?? {},
    ...(defaultRoute && { defaultRoute }),
  };
  checkAttachable(attachment, call.conf.type, asked);
  return attachment;
}

/** A definition without a configuration names a file of the node. */
async function configOf({ conf, caller }: PluginCall, network: Pod, cluster: Cluster): Promise<string> {
  const text = await cluster.config(network);
  if (text.trim() !== '') {
    const what = `the configuration of NetworkAttachmentDefinition ${network.namespace}/${network.name}`;
    return textOf(parseObject(text, what), conf, network.name);
  }
  const dir = caller.seen(optString(conf.raw, 'confDir', '') ?? DEFAULT_CONF_DIR);
  return (await findNetwork(dir, network.name)).text;
}

/**
 * Name and version may be left out in a definition: they are then its own name, and our version.
 * @throws PolderError cni-version if it is of versions that we do not speak
 */
function textOf(config: JsonObject, conf: NetConf, name: string): string {
  const cniVersion = config.cniVersion || conf.cniVersion;
  needKnownVersion({ ...config, cniVersion }, `${conf.type} for network ${name}`);
  return JSON.stringify({ ...config, name: config.name ?? name, cniVersion });
}

/** A definition of a newer version may offer older ones, too. What is no text is for its reader to refuse. */
function needKnownVersion({ cniVersion, cniVersions }: JsonObject, who: string): void {
  const offered = [cniVersion, ...(Array.isArray(cniVersions) ? cniVersions : [])];
  const [first, ...others] = offered.filter((one) => typeof one === 'string');
  if (first !== undefined && !others.some(isSpecVersion)) needSpecVersion(first, who);
}
