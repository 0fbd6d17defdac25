/** The configuration of `portmap`, and the ports that the runtime asks for. */

import { type Condition, readConditions } from '#cni/plugins/portmap/conditions.ts';
import { type Addr, type Family, readAddr } from '#net/addr.ts';
import { type Port, readPort } from '#net/port.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import { type JsonObject, lookup, optBoolean, optList, optString, optUint, wrong } from '#wire/cni/json.ts';

export const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
export type Protocol = keyof typeof PROTOCOLS;

/** One port of the node that leads to one of the pod. */
export interface Mapping {
  readonly hostPort: Port;
  readonly containerPort: Port;
  readonly protocol: Protocol;
  /** The node's address that it holds for; absent: all of them. */
  readonly hostIp?: Addr;
  /** Families that it holds for. */
  readonly families: readonly Family[];
}

export interface PortmapConf {
  readonly mappings: readonly Mapping[];
  /** Masquerade what comes from the node itself and from the pod's own network. */
  readonly snat: boolean;
  /** Masquerade everything. */
  readonly masqAll: boolean;
  /** What a packet must fulfil beside. */
  readonly conditions: Readonly<Record<Family, readonly Condition[]>>;
}

/** @throws PolderError cni-config (CNI code 7) naming the key. */
export function readPortmapConf(conf: NetConf): PortmapConf {
  const { raw } = conf;
  refuseBothMarks(raw);
  const backend = optString(raw, 'backend', '');
  if (backend !== undefined && backend !== '' && backend !== 'nftables' && backend !== 'iptables') {
    wrong('backend', 'must be "nftables" or "iptables"', backend);
  }
  return {
    mappings: optList(conf.runtimeConfig, 'portMappings', 'runtimeConfig.', readMapping) ?? [],
    snat: optBoolean(raw, 'snat', '') ?? true,
    masqAll: optBoolean(raw, 'masqAll', '') ?? false,
    conditions: { 4: readConditions(raw, 'conditionsV4', 4), 6: readConditions(raw, 'conditionsV6', 6) },
  };
}

/** Both are ways to mark packets, of which nftables needs none: they are only checked. */
function refuseBothMarks(raw: JsonObject): void {
  const bit = optUint(raw, 'markMasqBit', '');
  const chain = optString(raw, 'externalSetMarkChain', '');
  if (bit !== undefined && bit > 31) wrong('markMasqBit', 'must be from 0 to 31', bit);
  if (bit !== undefined && chain !== undefined && chain !== '') {
    wrong('markMasqBit', 'must not stand beside externalSetMarkChain', bit);
  }
}

function readMapping(item: JsonObject, path: string): Mapping {
  const hostIp = readHostIp(item, path);
  return {
    hostPort: portOf(item, 'hostPort', path),
    containerPort: portOf(item, 'containerPort', path),
    protocol: readProtocol(item, path),
    ...(hostIp !== undefined && !UNSPECIFIED.includes(hostIp) && { hostIp }),
    families: hostIp === undefined ? [4, 6] : [hostIp.includes(':') ? 6 : 4],
  };
}

const UNSPECIFIED: readonly string[] = ['0.0.0.0', '::'];

function readHostIp(item: JsonObject, path: string): Addr | undefined {
  const text = optString(item, 'hostIP', path);
  if (text === undefined || text === '') return undefined;
  return readAddr(text) ?? wrong(`${path}hostIP`, 'must be an IP address', text);
}

function portOf(item: JsonObject, key: string, path: string): Port {
  const value = lookup(item, key);
  const port = typeof value === 'number' ? readPort(value) : undefined;
  return port ?? wrong(`${path}${key}`, 'must be a port from 1 to 65535', value);
}

/** Kubernetes writes TCP, containerd and podman tcp. */
function readProtocol(item: JsonObject, path: string): Protocol {
  const text = optString(item, 'protocol', path) ?? '';
  const protocol = text === '' ? 'tcp' : text.toLowerCase();
  return isProtocol(protocol) ? protocol : wrong(`${path}protocol`, 'must be tcp, udp or sctp', text);
}

function isProtocol(text: string): text is Protocol {
  return Object.hasOwn(PROTOCOLS, text);
}
