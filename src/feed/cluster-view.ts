/** Kubernetes objects -> the cluster as the calculators see it. Pure. */

import { type Addr, familyOf, readAddr } from '#net/addr.ts';
import { readMac } from '#net/mac.ts';
import { type Prefix, prefixFamily, readPrefix } from '#net/prefix.ts';
import type { BgpSettings } from '#spec/bgp.ts';
import { type BgpObjects, bgpFrom } from '#spec/bgp-objects.ts';
import { readBlock } from '#spec/block.ts';
import { networksOf } from '#spec/block-networks.ts';
import type { FelixConfiguration, IpamBlock, IpPool } from '#spec/calico.ts';
import { annotatedFields } from '#spec/calico-annotations.ts';
import { type ClusterConfig, type ClusterNode, defaultPools } from '#spec/cluster.ts';
import { CONFIG_MAP, parseConfig } from '#spec/config.ts';
import { type FelixSettings, felixOf } from '#spec/felix.ts';
import type { ConfigMap, Node } from '#spec/k8s.ts';
import { type Pool, readPool } from '#spec/pool.ts';
import {
  type ServiceAddresses,
  type ServiceObjects,
  saysServices,
  serviceAddressesOn,
} from '#spec/service-addresses.ts';
import { readWays, WAYS_ANNOTATION } from '#spec/ways.ts';

/** Says the hardware address of a node's VXLAN device to the other nodes. */
export const VTEP_MAC_ANNOTATION = 'polder.dev/vtep-mac';

/** What every node sees alike: a `Snapshot` without the part that is one node's own. */
export interface Cluster {
  readonly config: ClusterConfig;
  /** By name. */
  readonly nodes: readonly ClusterNode[];
  /** By name. */
  readonly pools: readonly Pool[];
  readonly bgp: BgpSettings;
  readonly felix: FelixSettings;
  readonly services?: ServiceAddresses;
}

/** What the API has of it. */
export interface ClusterObjects {
  readonly nodes: readonly Node[];
  readonly settings: ConfigMap | undefined;
  readonly pools: readonly IpPool[];
  readonly blocks: readonly IpamBlock[];
  /** Absent in files of before. */
  readonly felix?: readonly FelixConfiguration[];
  /** Absent in files of before. */
  readonly bgp?: BgpObjects;
  /** Absent where BGP says nothing of Services. */
  readonly services?: ServiceObjects;
}

const NO_BGP: BgpObjects = { configurations: [], peers: [], filters: [] };

/** A value, if one could be made, and what a person should know of it. */
export interface View<T> {
  readonly value: T | undefined;
  /** Sentences. */
  readonly problems: readonly string[];
}

/**
 * The cluster of these objects, as `node` sees it. Settings that are missing or wrong leave the `last` good ones in force: what works
 * keeps working. Without any the value is undefined.
 */
export function clusterFrom(objects: ClusterObjects, node: string, last: ClusterConfig | undefined): View<Cluster> {
  const config = configFrom(objects.settings, last);
  if (config.value === undefined) return { value: undefined, problems: config.problems };
  const [first] = config.value.clusterCidrs;
  const family = first === undefined ? 4 : prefixFamily(first);
  const { pools, networks } = addressesFrom(config.value, objects);
  const views = objects.nodes.map((node) => nodeFrom(node, family, networks));
  const known = views.map((view) => view.value).filter((node) => node !== undefined);
  const bgp = bgpFrom(objects.bgp ?? NO_BGP);
  return {
    value: {
      config: config.value,
      nodes: known.sort((a, b) => (a.name < b.name ? -1 : 1)),
      pools,
      bgp: bgp.settings,
      felix: felixOf(objects.felix ?? [], node),
      ...(objects.services &&
        saysServices(bgp.settings, node) && { services: serviceAddressesOn(objects.services, node) }),
    },
    problems: [...config.problems, ...views.flatMap((view) => view.problems), ...bgp.problems],
  };
}

function configFrom(settings: ConfigMap | undefined, last: ClusterConfig | undefined): View<ClusterConfig> {
  const place = `ConfigMap ${CONFIG_MAP.namespace}/${CONFIG_MAP.name}`;
  const kept = last === undefined ? 'nothing is done until it is there' : 'the last settings stay in force';
  if (settings === undefined) return { value: last, problems: [`${place} is missing: ${kept}`] };
  const result = parseConfig(settings.data);
  const warnings = result.warnings.map((warning) => `${place}: ${warning}`);
  if (result.kind === 'config') return { value: result.config, problems: warnings };
  const wrong = result.problems.map((problem) => `${place}: ${problem.key}: ${problem.message}: ${kept}`);
  return { value: last, problems: [...wrong, ...warnings] };
}

/** Pools, and the networks of each node where its blocks say them and not its node CIDR. */
function addressesFrom(
  config: ClusterConfig,
  { pools, blocks }: ClusterObjects,
): { pools: readonly Pool[]; networks?: ReadonlyMap<string, readonly Prefix[]> } {
  if (config.profile.ipam === 'node-cidr') return { pools: defaultPools(config) };
  const read = pools.map(readPool).filter((pool) => pool !== undefined);
  return {
    pools: read.sort((a, b) => (a.name < b.name ? -1 : 1)),
    networks: networksOf(blocks.map(readBlock).filter((block) => block !== undefined)),
  };
}

function nodeFrom(
  node: Node,
  family: 4 | 6,
  networks: ReadonlyMap<string, readonly Prefix[]> | undefined,
): View<ClusterNode> {
  const name = node.metadata.name ?? '';
  const internal = node.status?.addresses?.filter((a) => a.type === 'InternalIP').map((a) => readAddr(a.address)) ?? [];
  const addr = preferred(internal, family);
  if (addr === undefined) return { value: undefined, problems: [`node ${name} has no InternalIP: it is left out`] };
  const texts = node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : []);
  const podCidrs = texts.map((text) => readPrefix(text)).filter((prefix) => prefix !== undefined);
  const mac = node.metadata.annotations?.[VTEP_MAC_ANNOTATION];
  const vtepMac = mac === undefined ? undefined : readMac(mac);
  const ways = readWays(node.metadata.annotations?.[WAYS_ANNOTATION] ?? '');
  const { fields, problems: unreadable } = annotatedFields(node.metadata.annotations ?? {});
  const problems = [
    ...unreadable.map((problem) => `node ${name}: ${problem}`),
    ...texts
      .filter((text) => readPrefix(text) === undefined)
      .map((text) => `node ${name}: podCIDR "${text}" is no network`),
    ...(mac !== undefined && vtepMac === undefined
      ? [`node ${name}: ${VTEP_MAC_ANNOTATION} "${mac}" is no Ethernet address`]
      : []),
  ];
  return {
    value: {
      name,
      addr,
      addrs: onePerFamily(internal, addr),
      networks: ipv4First(networks ? (networks.get(name) ?? []) : podCidrs),
      ...(vtepMac === undefined ? {} : { vtepMac }),
      ...(ways === undefined ? {} : { ways }),
      ...fields,
      labels: node.metadata.labels ?? {},
    },
    problems,
  };
}

function preferred(addrs: readonly (Addr | undefined)[], family: 4 | 6): Addr | undefined {
  const readable = addrs.filter((addr) => addr !== undefined);
  return readable.find((addr) => familyOf(addr) === family) ?? readable[0];
}

/** The node's own address and the first one of the other family. */
function onePerFamily(addrs: readonly (Addr | undefined)[], own: Addr): Addr[] {
  const other = addrs.find((addr) => addr !== undefined && familyOf(addr) !== familyOf(own));
  const both = other === undefined ? [own] : [own, other];
  return both.sort((a, b) => familyOf(a) - familyOf(b));
}

function ipv4First(prefixes: readonly Prefix[]): Prefix[] {
  return [...prefixes].sort((a, b) => prefixFamily(a) - prefixFamily(b));
}
