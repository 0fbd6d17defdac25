/** Calico's objects of BGP -> the settings that the calculators see. What cannot be read is left out and named in a sentence. */

import { type Addr, readAddr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import {
  type BgpConfiguration,
  type BgpFilter,
  type BgpFilterRule,
  type BgpPeer,
  type BgpSettings,
  DEFAULT_BGP_CONFIGURATION,
  type NextHopMode,
  type SecretKey,
} from '#spec/bgp.ts';
import type {
  BgpConfigurationObject,
  BgpFilterObject,
  BgpFilterRuleObject,
  BgpPeerObject,
  SecretReference,
} from '#spec/calico.ts';
import { readAsNumber } from '#spec/calico-annotations.ts';
import { readNetwork } from '#spec/calico-networks.ts';
import { secondsOf } from '#spec/duration.ts';

export interface BgpObjects {
  readonly configurations: readonly BgpConfigurationObject[];
  readonly peers: readonly BgpPeerObject[];
  readonly filters: readonly BgpFilterObject[];
}

export interface BgpView {
  readonly settings: BgpSettings;
  /** Sentences. */
  readonly problems: readonly string[];
}

/** Name of the one that holds for all nodes; `node.NAME` holds for one. */
const ALL_NODES = 'default';
const NODE_PREFIX = 'node.';

/** The same for any order of the lists. */
export function bgpFrom(objects: BgpObjects): BgpView {
  const problems: string[] = [];
  const say = (problem: string) => void problems.push(problem);
  const byName = new Map(objects.configurations.map((each) => [each.metadata.name ?? '', each.spec ?? {}]));
  const own = [...byName].filter(([name]) => name.startsWith(NODE_PREFIX)).sort(([a], [b]) => (a < b ? -1 : 1));
  const nodes = own.map(([name, spec]) => [name.slice(NODE_PREFIX.length), configurationFrom(name, spec, say)]);
  const peers = objects.peers.flatMap((peer) => peerFrom(peer) ?? []);
  const settings: BgpSettings = {
    configuration: { ...DEFAULT_BGP_CONFIGURATION, ...configurationFrom(ALL_NODES, byName.get(ALL_NODES) ?? {}, say) },
    nodes: Object.fromEntries(nodes),
    peers: peers.sort(inOrder),
    filters: objects.filters.map((filter) => filterFrom(filter, say)).sort(inOrder),
  };
  return { settings, problems };
}

/** Undefined values are left out, so that defaults and the cluster's own settings stand. */
type Given<T> = { [K in keyof T]?: T[K] | undefined };

function given<T>(values: Given<T>): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

type Say = (problem: string) => void;
type Named = { readonly name: string };

function inOrder(a: Named, b: Named): number {
  return a.name < b.name ? -1 : 1;
}

function configurationFrom(
  name: string,
  spec: NonNullable<BgpConfigurationObject['spec']>,
  say: Say,
): Partial<BgpConfiguration> {
  const place = `BGPConfiguration ${name}`;
  const blocks = (key: 'serviceClusterIPs' | 'serviceExternalIPs' | 'serviceLoadBalancerIPs') =>
    spec[key]?.flatMap(({ cidr = '' }) => networkFrom(cidr, `${place}: ${key}`, say));
  return given<BgpConfiguration>({
    asNumber: asNumberFrom(spec.asNumber),
    mesh: spec.nodeToNodeMeshEnabled,
    listenPort: spec.listenPort || undefined,
    bindMode: spec.bindMode === 'NodeIP' || spec.bindMode === 'None' ? spec.bindMode : undefined,
    meshMaxRestartSeconds: secondsOf(spec.nodeMeshMaxRestartTime ?? ''),
    meshPassword: secretFrom(spec.nodeMeshPassword),
    serviceClusterIps: blocks('serviceClusterIPs'),
    serviceExternalIps: blocks('serviceExternalIPs'),
    serviceLoadBalancerIps: blocks('serviceLoadBalancerIPs'),
    prefixAdvertisements: advertisementsFrom(spec, place, say),
    ignoredInterfaces: spec.ignoredInterfaces,
  });
}

/** A number out of range stays one, so that the calculators can say whose it is. */
function asNumberFrom(value: number | string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  return readAsNumber(String(value)) ?? Number(value);
}

function networkFrom(text: string, place: string, say: Say): Prefix[] {
  const network = readNetwork(text);
  if (network === undefined) say(`${place}: "${text}" is no network; it is left out`);
  return network === undefined ? [] : [network];
}

const COMMUNITY = /^\d+:\d+(:\d+)?$/;

/** A community stands there itself, or by a name that `communities` explains. */
function advertisementsFrom(
  { communities = [], prefixAdvertisements }: NonNullable<BgpConfigurationObject['spec']>,
  place: string,
  say: Say,
): BgpConfiguration['prefixAdvertisements'] | undefined {
  const named = new Map(communities.map(({ name = '', value = '' }) => [name, value]));
  return prefixAdvertisements?.flatMap(({ cidr = '', communities: all = [] }) => {
    const read = all.map((text) => ({ text, value: named.get(text) ?? text }));
    for (const { text } of read.filter(({ value }) => !COMMUNITY.test(value)))
      say(`${place}: "${text}" is no community, and communities names none so; it is left out`);
    const values = read.map(({ value }) => value).filter((value) => COMMUNITY.test(value));
    return networkFrom(cidr, `${place}: prefixAdvertisements`, say).map((each) => ({
      cidr: each,
      communities: values,
    }));
  });
}

function secretFrom(reference: SecretReference | undefined): SecretKey | undefined {
  const { name, key } = reference?.secretKeyRef ?? {};
  return name && key ? { name, key } : undefined;
}

/** Undefined for a peering with workloads, which is none between routers. */
function peerFrom({ metadata, spec = {} }: BgpPeerObject): BgpPeer | undefined {
  if (spec.localWorkloadSelector) return undefined;
  const { addr, port } = peerAddr(spec.peerIP ?? '');
  return {
    name: metadata.name ?? '',
    nextHop: nextHopFrom(spec),
    sourceAddress: spec.sourceAddress === 'None' ? 'None' : 'UseNodeIP',
    filters: spec.filters ?? [],
    ...given<BgpPeer>({
      node: spec.node || undefined,
      nodeSelector: spec.nodeSelector || undefined,
      peerSelector: spec.peerSelector || undefined,
      peerIp: addr,
      peerPort: port,
      asNumber: asNumberFrom(spec.asNumber),
      localAsNumber: asNumberFrom(spec.localASNumber),
      reversePeering: spec.reversePeering === 'Manual' ? 'manual' : undefined,
      password: secretFrom(spec.password),
      maxRestartSeconds: secondsOf(spec.maxRestartTime ?? ''),
      numAllowedLocalAsNumbers: spec.numAllowedLocalASNumbers,
      ttlSecurity: spec.ttlSecurity,
      failureDetection: spec.failureDetectionMode === 'BFDIfDirectlyConnected' ? 'bfd' : undefined,
      reachableBy: readAddr(spec.reachableBy ?? ''),
    }),
  };
}

/** The newer field wins over the older one. */
function nextHopFrom({ nextHopMode, keepOriginalNextHop }: NonNullable<BgpPeerObject['spec']>): NextHopMode {
  if (nextHopMode) return nextHopMode === 'Keep' ? 'keep' : nextHopMode === 'Self' ? 'self' : 'auto';
  return keepOriginalNextHop ? 'keep' : 'auto';
}

/** `10.0.0.1`, `10.0.0.1:1790`, `[fd00::1]:1790`. */
function peerAddr(text: string): { readonly addr?: Addr | undefined; readonly port?: number } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^[\]:]+)):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined) return { addr: readAddr(text) };
  return { addr: readAddr(bracketed ?? plain ?? ''), port: Number(port) };
}

/** Fields of a rule that are read. */
const RULE_FIELDS = new Set(['action', 'cidr', 'matchOperator', 'prefixLength', 'source', 'interface']);

function filterFrom({ metadata, spec = {} }: BgpFilterObject, say: Say): BgpFilter {
  const name = metadata.name ?? '';
  const list = (key: 'exportV4' | 'importV4' | 'exportV6' | 'importV6') =>
    (spec[key] ?? []).flatMap((rule, i) => ruleFrom(rule, `BGPFilter ${name}: ${key}[${i}]`, say));
  return {
    name,
    exportV4: list('exportV4'),
    importV4: list('importV4'),
    exportV6: list('exportV6'),
    importV6: list('importV6'),
  };
}

/** A rule that is not understood whole matches other routes than it says: it is left out. */
function ruleFrom(rule: BgpFilterRuleObject, place: string, say: Say): BgpFilterRule[] {
  const { action, cidr, matchOperator, prefixLength, source, interface: ifname } = rule;
  const strange = Object.keys(rule).find((key) => !RULE_FIELDS.has(key));
  const network = cidr === undefined ? undefined : readNetwork(cidr);
  const wrong =
    strange !== undefined
      ? `"${strange}" is not supported`
      : action !== 'Accept' && action !== 'Reject'
        ? `action "${action}" is neither Accept nor Reject`
        : cidr !== undefined && network === undefined
          ? `"${cidr}" is no network`
          : undefined;
  if (wrong !== undefined) say(`${place}: ${wrong}; the rule is left out`);
  if (wrong !== undefined || (action !== 'Accept' && action !== 'Reject')) return [];
  return [
    {
      action,
      ...given<BgpFilterRule>({
        cidr: network,
        matchOperator: OPERATORS.find((each) => each === matchOperator),
        prefixLength,
        source: source === 'RemotePeers' ? source : undefined,
        interface: ifname || undefined,
      }),
    },
  ];
}

const OPERATORS = ['Equal', 'NotEqual', 'In', 'NotIn'] as const;
