/** What a lab is to be: the one value that options and a cluster file are read into, and that `lab.json` keeps. */

import { type Addr, addrPlus, type Family, parseAddr } from '#net/addr.ts';
import { addrOf, type Prefix, parsePrefix, prefixFamily } from '#net/prefix.ts';
import { PROFILE_NAMES, type ProfileName } from '#spec/cluster.ts';
import { PolderError } from '#spec/errors.ts';

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

export interface NodeSpec {
  readonly name: string;
  /** Which of the underlay's subnets it stands in: 1 or 2. */
  readonly subnet: number;
  /** IPv4 address on the underlay; see `nodeAddrs` for those that the cluster knows. */
  readonly addr: Addr;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  /** Its programs are not to run (`lab node stop`). */
  readonly stopped?: boolean;
}

export interface LabSpec {
  readonly name: string;
  readonly profile: ProfileName;
  readonly clusterCidr: Prefix;
  /** The other family's, IPv6, where there are both. */
  readonly secondCidr?: Prefix;
  /** 1 or 2. */
  readonly subnets: number;
  /** Of the nodes' interfaces, bytes. */
  readonly mtu: number;
  /** On the machine's loopback. */
  readonly apiPort: number;
  /** Whether what leaves the cluster is masqueraded. */
  readonly masquerade: boolean;
  /** Whether it reaches what the machine reaches. Absent in files of before there was an uplink. */
  readonly uplink?: boolean;
  /** Whether top-of-rack routers stand beside the nodes (`src/lab/tor`). Absent: no. */
  readonly tor?: boolean;
  readonly nodes: readonly NodeSpec[];
}

/** A node as somebody asks for it: what is left out is chosen. */
export interface WantedNode {
  readonly name: string;
  readonly subnet?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
}

/** A lab as somebody asks for it. Options of the command line win over the file. */
export interface WantedLab {
  readonly name: string;
  readonly nodeCount?: number;
  readonly nodes?: readonly WantedNode[];
  readonly profile?: string;
  /** One network, or two with a comma between, IPv4 first. */
  readonly clusterCidr?: string;
  /** Which families pods have; chooses the networks where they are not said. */
  readonly family?: string;
  readonly subnets?: number;
  readonly mtu?: number;
  readonly apiPort?: number;
  readonly masquerade?: boolean;
  readonly uplink?: boolean;
  readonly tor?: boolean;
}

/** ClusterIPs; kubeadm's default. */
export const SERVICE_CIDR = parsePrefix('10.96.0.0/12');
export const DEFAULT_CLUSTER_CIDR = '10.244.0.0/16';
/** By `--family`. */
export const FAMILY_CIDRS = {
  ipv4: DEFAULT_CLUSTER_CIDR,
  ipv6: 'fd00:10:244::/48',
  dual: `${DEFAULT_CLUSTER_CIDR},fd00:10:244::/48`,
} as const;
type LabFamily = keyof typeof FAMILY_CIDRS;
export const DEFAULT_API_PORT = 6443;
/** Port of the API on the underlay's gateway, for the nodes. */
export const UNDERLAY_API_PORT = 6443;
export const DEFAULT_MTU = 1500;
/** IPv6 on the underlay and the smallest pod MTU (1280, RFC 8200) behind a VXLAN header of 50. */
const MIN_MTU = 1330;
const MAX_MTU = 65_535;
/** Node addresses end in 101 to 250 of their subnet. */
const FIRST_NODE_HOST = 101;
export const MAX_NODES = 150;

export const UNDERLAY_SUBNETS = [parsePrefix('192.168.1.0/24'), parsePrefix('192.168.2.0/24')] as const;

/** Network of the nodes' subnet 1 or 2. */
export function underlaySubnet(subnet: number): Prefix {
  const prefix = UNDERLAY_SUBNETS[subnet - 1];
  if (prefix === undefined) throw new RangeError(`Cannot take subnet ${subnet}: there are 1 and 2`);
  return prefix;
}

/** Address of the router in a subnet. */
export function gatewayOf(subnet: number): Addr {
  return addrPlus(addrOf(underlaySubnet(subnet)), 1);
}

/** Networks of pods' addresses, as many as there are families. */
export function clusterCidrs({ clusterCidr, secondCidr }: Pick<LabSpec, 'clusterCidr' | 'secondCidr'>): Prefix[] {
  return secondCidr === undefined ? [clusterCidr] : [clusterCidr, secondCidr];
}

/** Families of pods, and of nodes' addresses in the cluster. Nodes reach the API by IPv4 in any case. */
export function familiesOf(spec: Pick<LabSpec, 'clusterCidr' | 'secondCidr'>): Family[] {
  return clusterCidrs(spec).map(prefixFamily);
}

/** The nodes' IPv6 network of a subnet: fd00:192:168:1::/64. */
export function underlaySubnet6(subnet: number): Prefix {
  return parsePrefix(`fd00:192:168:${subnet}::/64`);
}

export function gateway6Of(subnet: number): Addr {
  return addrPlus(addrOf(underlaySubnet6(subnet)), 1);
}

/** fd00:192:168:1::101 of 192.168.1.101: spelt alike. */
export function nodeAddr6({ subnet, addr }: Pick<NodeSpec, 'subnet' | 'addr'>): Addr {
  return parseAddr(`${addrOf(underlaySubnet6(subnet))}${addr.slice(addr.lastIndexOf('.') + 1)}`);
}

/** Addresses that the cluster knows a node by, in the order of the cluster's families. */
export function nodeAddrs(spec: Pick<LabSpec, 'clusterCidr' | 'secondCidr'>, node: NodeSpec): Addr[] {
  return familiesOf(spec).map((family) => (family === 4 ? node.addr : nodeAddr6(node)));
}

/** Where nodes reach the API: the router's address in subnet 1. */
export const UNDERLAY_API_ADDR = gatewayOf(1);
export const LOOPBACK = parseAddr('127.0.0.1');

function usage(what: string): PolderError {
  return new PolderError('usage', { what });
}

function profileName(text: string): ProfileName {
  const found = PROFILE_NAMES.find((name) => name === text);
  if (found !== undefined) return found;
  throw usage(`There is no profile "${text}"; there are ${PROFILE_NAMES.join(', ')}.`);
}

/** A whole number within limits. @throws PolderError 'usage' */
export function wholeNumber(what: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw usage(`${what} must be a whole number from ${min} to ${max}, not ${value}.`);
}

/** `node1` … `nodeN`, as many as are asked for, spread over the subnets in turn. */
function numberedNodes(count: number): WantedNode[] {
  return Array.from({ length: count }, (_, i) => ({ name: `node${i + 1}` }));
}

/** The lowest node address of the subnet that nobody in `taken` has. @throws PolderError 'usage' if all are taken. */
export function freeNodeAddr(subnet: number, taken: ReadonlySet<Addr>): Addr {
  for (let host = FIRST_NODE_HOST; host < FIRST_NODE_HOST + MAX_NODES; host++) {
    const addr = addrPlus(addrOf(underlaySubnet(subnet)), host);
    if (!taken.has(addr)) return addr;
  }
  throw usage(`Subnet ${subnet} of the lab is full: it holds ${MAX_NODES} nodes.`);
}

/** Gives each wanted node its subnet and address; `nodeK` gets the host number 100 + K as long as it is free. */
export function placeNodes(wanted: readonly WantedNode[], subnets: number): NodeSpec[] {
  const taken = new Set<Addr>();
  return wanted.map((node, i) => {
    const subnet = wholeNumber(`The subnet of ${node.name}`, node.subnet ?? (i % subnets) + 1, 1, subnets);
    const usual = addrPlus(addrOf(underlaySubnet(subnet)), FIRST_NODE_HOST + i);
    const addr = taken.has(usual) ? freeNodeAddr(subnet, taken) : usual;
    taken.add(addr);
    return { name: node.name, subnet, addr, labels: node.labels ?? {}, taints: node.taints ?? [] };
  });
}

/** Fills in what was not said. @throws PolderError 'usage' or 'cidr-invalid' if what was said cannot be. */
export function labSpec(wanted: WantedLab): LabSpec {
  const subnets = wholeNumber('The number of subnets', wanted.subnets ?? 1, 1, UNDERLAY_SUBNETS.length);
  const count = wholeNumber('The number of nodes', wanted.nodeCount ?? wanted.nodes?.length ?? 3, 1, MAX_NODES);
  const named = wanted.nodes ?? [];
  const nodes = named.length > 0 && wanted.nodeCount === undefined ? named : numberedNodes(count);
  return {
    name: wanted.name,
    profile: profileName(wanted.profile ?? 'vxlan'),
    ...networksOf(wanted),
    subnets,
    mtu: wholeNumber('The MTU', wanted.mtu ?? DEFAULT_MTU, MIN_MTU, MAX_MTU),
    apiPort: wholeNumber('The API port', wanted.apiPort ?? DEFAULT_API_PORT, 1, 65_535),
    masquerade: wanted.masquerade ?? true,
    ...(wanted.uplink === true ? { uplink: true } : {}),
    ...(wanted.tor === true ? { tor: true } : {}),
    nodes: placeNodes(nodes, subnets),
  };
}

/** @throws PolderError 'usage' for a family that there is not, 'cidr-invalid' where networks and family disagree. */
function networksOf({ clusterCidr, family }: WantedLab): Pick<LabSpec, 'clusterCidr' | 'secondCidr'> {
  const chosen = family === undefined ? 'ipv4' : labFamily(family);
  const [first, second, ...more] = (clusterCidr ?? FAMILY_CIDRS[chosen])
    .split(',')
    .map((text) => networkOf(text.trim()));
  if (first === undefined || more.length > 0) throw cidr(`"${clusterCidr}" names more than two networks.`);
  if (second !== undefined && !(prefixFamily(first) === 4 && prefixFamily(second) === 6))
    throw cidr(`${first} and ${second} are not one IPv4 network and then one IPv6 network.`);
  const has = second !== undefined ? 'dual' : prefixFamily(first) === 4 ? 'ipv4' : 'ipv6';
  if (family !== undefined && has !== chosen)
    throw cidr(
      `The family is to be ${chosen}, but "${clusterCidr}" is ${has}: say the networks of that family, or none.`,
    );
  return { clusterCidr: first, ...(second === undefined ? {} : { secondCidr: second }) };
}

function labFamily(text: string): LabFamily {
  const families = Object.keys(FAMILY_CIDRS) as LabFamily[];
  const found = families.find((name) => name === text);
  if (found !== undefined) return found;
  throw usage(`There is no family "${text}"; there are ${families.join(', ')}.`);
}

function cidr(what: string): PolderError {
  return new PolderError('cidr-invalid', { what });
}

function networkOf(text: string): Prefix {
  try {
    return parsePrefix(text);
  } catch (error) {
    throw new PolderError('cidr-invalid', { what: `${error instanceof Error ? error.message : error}.` });
  }
}
