/**
 * The annotation by which a pod asks for further networks, in both of its forms (Kubernetes Network Custom Resource
 * Definition De-facto Standard v1.3, §4.1).
 */

import { type Addr, familyOf, readAddr } from '#net/addr.ts';
import {
  isObject,
  type JsonObject,
  lookup,
  optArray,
  optObject,
  optString,
  optStrings,
  wrong,
} from '#wire/cni/json.ts';
import { badIfname } from '#wire/cni/names.ts';

export const NETWORKS_ANNOTATION = 'k8s.v1.cni.cncf.io/networks';
/** Which network a pod has instead of the cluster's; in the form of one selection. */
export const DEFAULT_NETWORK_ANNOTATION = 'v1.multus-cni.io/default-network';
/** What the pod got, written by the plugin. */
export const STATUS_ANNOTATION = 'k8s.v1.cni.cncf.io/network-status';

export interface NetworkSelection {
  /** Of the NetworkAttachmentDefinition. */
  readonly name: string;
  readonly namespace: string;
  /** Name of the interface in the pod; absent: the next of net1, net2, … */
  readonly ifname?: string;
  /** Addresses, with or without a length. */
  readonly ips?: readonly string[];
  readonly mac?: string;
  /** Gateways of the pod's default route, which is to be on this attachment; an empty list: as the network says. */
  readonly defaultRoute?: readonly Addr[];
  /** Goes into `args.cni` of the configuration. */
  readonly cniArgs?: JsonObject;
  /** Capabilities that are named in the selection: `portMappings`, `bandwidth`, `infinibandGUID`, `deviceID`. */
  readonly capabilities?: JsonObject;
}

/** RFC 1123 subdomain, as names of objects are. */
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** An annotation of the usual 256 kB could ask for thousands: more than this no pod needs. */
const MOST = 64;

/**
 * @param namespace the pod's: where networks are looked for that name none
 * @throws PolderError cni-config naming the annotation and the place in it
 */
export function parseNetworkSelections(
  text: string,
  namespace: string,
  annotation = NETWORKS_ANNOTATION,
): NetworkSelection[] {
  const path = `annotation ${annotation}: `;
  const selections = /^\s*[[{]/.test(text) ? readJson(text, namespace, path) : readShort(text, namespace, path);
  if (selections.length > MOST) wrong(`${path}it`, `must name at most ${MOST} networks`, selections.length);
  const names = selections.flatMap(({ ifname }) => (ifname === undefined ? [] : [ifname]));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) wrong(`${path}interface`, 'must be named only once', twice);
  for (const family of [4, 6] as const) {
    const asked = selections.filter(({ defaultRoute }) =>
      defaultRoute?.some((gateway) => familyOf(gateway) === family),
    );
    if (asked.length > 1)
      wrong(`${path}default-route`, `must be asked for IPv${family} of one network`, namesOf(asked));
  }
  return selections;
}

function namesOf(selections: readonly NetworkSelection[]): string {
  return selections.map(({ namespace, name }) => `${namespace}/${name}`).join(' and ');
}

/** `namespace/name@ifname`, parted by commas. */
function readShort(text: string, namespace: string, path: string): NetworkSelection[] {
  if (text.trim() === '') return [];
  return text.split(',').map((part) => {
    const parts = /^(?:([^/@]*)\/)?([^/@]*)(?:@([^/@]*))?$/.exec(part) ?? [];
    const [, own, name = '', ifname] = parts.map((one) => one?.trim());
    if (name === '')
      wrong(`${path}each network`, 'must be NAME, NAMESPACE/NAME or NAMESPACE/NAME@INTERFACE', part.trim());
    return {
      name: needName(name, `${path}name`),
      namespace: needName(own ?? namespace, `${path}namespace`),
      ...(ifname !== undefined && { ifname: needIfname(ifname, `${path}interface`) }),
    };
  });
}

function readJson(text: string, namespace: string, path: string): NetworkSelection[] {
  const value = parse(text, path);
  const list = Array.isArray(value) ? value : [value];
  return list.map((item, i) =>
    isObject(item) ? readElement(item, namespace, `${path}[${i}].`) : wrong(`${path}[${i}]`, 'must be an object', item),
  );
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return wrong(`${path}it`, `must be JSON (${error instanceof Error ? error.message : 'no JSON'})`, text);
  }
}

function readElement(item: JsonObject, namespace: string, path: string): NetworkSelection {
  const ifname = optString(item, 'interface', path);
  const ips = readIps(item, path);
  const mac = optString(item, 'mac', path);
  const defaultRoute = optStrings(item, 'default-route', path)?.map(
    (gateway, i) => readAddr(gateway) ?? wrong(`${path}default-route[${i}]`, 'must be an IP address', gateway),
  );
  const cniArgs = optObject(item, 'cni-args', path);
  const capabilities = readCapabilities(item, path);
  return {
    name: needName(optString(item, 'name', path) ?? '', `${path}name`),
    namespace: needName(optString(item, 'namespace', path) || namespace, `${path}namespace`),
    ...(ifname && { ifname: needIfname(ifname, `${path}interface`) }),
    ...(ips && { ips }),
    ...(mac && { mac }),
    ...(defaultRoute && { defaultRoute }),
    ...(cniArgs && { cniArgs }),
    ...(Object.keys(capabilities).length > 0 && { capabilities }),
  };
}

/** By the names that plugins declare. */
function readCapabilities(item: JsonObject, path: string): JsonObject {
  const portMappings = optArray(item, 'portMappings', path);
  const bandwidth = optObject(item, 'bandwidth', path);
  const infinibandGUID = optString(item, 'infiniband-guid', path);
  const deviceID = optString(item, 'deviceID', path);
  return {
    ...(portMappings && { portMappings }),
    ...(bandwidth && { bandwidth }),
    ...(infinibandGUID && { infinibandGUID }),
    ...(deviceID && { deviceID }),
  };
}

/** A list; a single text parted by commas is what the first version of the standard had. */
function readIps(item: JsonObject, path: string): readonly string[] | undefined {
  const value = lookup(item, 'ips');
  const list = typeof value === 'string' ? value.split(',').map((ip) => ip.trim()) : optStrings(item, 'ips', path);
  for (const [i, ip] of (list ?? []).entries()) {
    if (readAddr(ip.replace(/\/\d{1,3}$/, '')) === undefined) wrong(`${path}ips[${i}]`, 'must be an IP address', ip);
  }
  return list;
}

function needName(name: string, path: string): string {
  return NAME.test(name) && name.length <= 253 ? name : wrong(path, 'must be the name of an object', name);
}

function needIfname(ifname: string, path: string): string {
  const bad = badIfname(ifname);
  return bad === undefined ? ifname : wrong(path, `must be the name of an interface, and it ${bad}`, ifname);
}
