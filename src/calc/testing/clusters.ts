/** Named clusters, as a node sees them: what tests of calc, plan and sync walk between. */

import type { Underlay } from '#calc/state.ts';
import { parseAddr } from '#net/addr.ts';
import { parseMac } from '#net/mac.ts';
import { parseIfAddr, parsePrefix, prefixFamily } from '#net/prefix.ts';
import { DEFAULT_BGP } from '#spec/bgp.ts';
import { type ClusterNode, defaultPools, PROFILES, type Profile, type Snapshot } from '#spec/cluster.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { DEFAULT_FELIX } from '#spec/felix.ts';
import { poolOf } from '#spec/pool.ts';

export const UNDERLAY: Underlay = {
  ifname: 'eth0',
  addrs: [parseIfAddr('192.168.1.101/24'), parseIfAddr('fd00:192:168:1::101/64')],
  mtu: 1500,
};

export function node(name: string, addr: string, ...networks: string[]): ClusterNode {
  const own = parseAddr(addr);
  return { name, addr: own, addrs: [own], networks: networks.map(parsePrefix), labels: {} };
}

/** A pod of this node, attached as `routed`. */
export function pod(index: number): LocalEndpoint {
  return {
    containerId: `c${index}`,
    ifname: 'eth0',
    network: 'polder',
    attachment: 'routed',
    hostIfname: `cali${index}`,
    addrs: [parseAddr(`10.244.1.${index}`)],
    mac: parseMac(`02:00:00:00:00:0${index}`),
  };
}

const NODES = [
  node('node1', '192.168.1.101', '10.244.1.0/24'),
  node('node2', '192.168.1.102', '10.244.2.0/24'),
  node('node3', '192.168.1.103', '10.244.3.0/24'),
];

type Changes = Partial<Pick<Snapshot, 'nodes' | 'pools' | 'felix'>> & Partial<Options>;

export function cluster(profile: Profile, changes: Changes = {}): Snapshot {
  const { nodes = NODES, endpoints = [], mtu = 0, masquerade = true, cidrs = ['10.244.0.0/16'] } = changes;
  const config = { profile, clusterCidrs: cidrs.map(parsePrefix), masquerade, mtu };
  const { pools = defaultPools(config), felix = DEFAULT_FELIX } = changes;
  const local = { node: 'node1', endpoints, wireguardKeys: { 4: KEYS[0], 6: KEYS[0] } };
  return { config, nodes, pools, bgp: DEFAULT_BGP, felix, local };
}

interface Options {
  readonly endpoints: readonly LocalEndpoint[];
  readonly mtu: number;
  readonly masquerade: boolean;
  readonly cidrs: readonly string[];
}

/** WireGuard public keys of node1 to node3: of the private keys that are 32 times the byte 1, 2 and 3. */
export const KEYS = [
  'pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk=',
  'zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=',
  'Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI=',
] as const;

const { vxlan, 'flannel-vxlan': flannelVxlan, 'flannel-host-gw': hostGw } = PROFILES;
const dual = [
  node('node1', '192.168.1.101', '10.244.1.0/24', 'fd00:10:244:1::/64'),
  node('node2', '192.168.1.102', '10.244.2.0/24', 'fd00:10:244:2::/64'),
];
const DUAL_CIDRS = ['10.244.0.0/16', 'fd00:10:244::/48'];

/** Calico's, with the routes put in by the agent. */
const ipip: Profile = { ...PROFILES['calico-ipip'], distribution: 'agent' };
const calicoVxlan = PROFILES['calico-vxlan'];
const wireguard = PROFILES.wireguard;

/** Nodes with blocks; node3, on another subnet, has borrowed an address of node2's block, and node1 one, too. */
export const BLOCKS: readonly ClusterNode[] = [
  withTunnels(node('node1', '192.168.1.101', '10.244.1.0/26', '10.244.2.9/32'), '10.244.1.0'),
  withTunnels(node('node2', '192.168.1.102', '10.244.2.0/26'), '10.244.2.0'),
  withTunnels(node('node3', '192.168.2.103', '10.244.3.0/26', '10.244.2.7/32'), '10.244.3.0'),
];

function withTunnels(of: ClusterNode, addr: string): ClusterNode {
  const addrs = [parseAddr(addr)];
  return { ...of, tunnelAddrs: { vxlan: addrs, ipip: addrs, wireguard: addrs } };
}

/** Two pools: VXLAN in one, IPIP across subnets in the other. */
const TWO_POOLS = [
  poolOf('first', parsePrefix('10.244.0.0/17'), { vxlan: 'always', natOutgoing: true }),
  poolOf('second', parsePrefix('10.244.128.0/17'), { ipip: 'cross-subnet' }),
];
const inTwoPools = BLOCKS.map((each, i) => ({
  ...each,
  networks: [...each.networks, parsePrefix(`10.244.${200 + i}.0/26`)],
}));

const withKeys = BLOCKS.map((each, i) => ({ ...each, wireguardKeys: { 4: KEYS[i] ?? '' } }));
const BOTH_FAMILIES = ([1, 2, 3] as const).map((i) => ({
  ...node(`node${i}`, `192.168.1.10${i}`, `10.244.${i}.0/24`, `fd00:10:244:${i}::/64`),
  addrs: [parseAddr(`192.168.1.10${i}`), parseAddr(`fd00:192:168:1::10${i}`)],
  wireguardKeys: { 4: KEYS[i - 1] ?? '', 6: KEYS[i - 1] ?? '' },
}));

function crossSubnet(kind: 'vxlan' | 'ipip') {
  return [poolOf('default', parsePrefix('10.244.0.0/16'), { [kind]: 'cross-subnet', natOutgoing: true })];
}

function onePool(of: ClusterNode): ClusterNode {
  return { ...of, networks: of.networks.filter((network) => prefixFamily(network) === 4) };
}

/** Every kind of state that a node may be in. */
export const CLUSTERS = {
  vxlan: cluster(vxlan, { endpoints: [pod(5), pod(6)] }),
  'vxlan without pods': cluster(vxlan),
  'vxlan, another port': cluster(
    { ...vxlan, devices: { ...vxlan.devices, vxlan: { ...vxlan.devices.vxlan, port: 8472 } } },
    { endpoints: [pod(5)] },
  ),
  'vxlan, smaller MTU': cluster(vxlan, { mtu: 1400, masquerade: false }),
  'vxlan, node2 moved': cluster(vxlan, {
    nodes: [NODES[0], node('node2', '192.168.1.112', '10.244.2.0/24')].filter((n) => n !== undefined),
  }),
  'vxlan, both families': cluster(vxlan, { nodes: dual, cidrs: DUAL_CIDRS }),
  'vxlan, alone': cluster(vxlan, { nodes: NODES.slice(0, 1), endpoints: [pod(7)] }),
  'flannel-vxlan': cluster(flannelVxlan),
  'flannel-vxlan, node3 has the network of node2': cluster(flannelVxlan, {
    nodes: [...NODES.slice(0, 1), node('node3', '192.168.1.103', '10.244.2.0/24')],
  }),
  'flannel-host-gw': cluster(hostGw),
  'flannel-host-gw, node3 on another subnet': cluster(hostGw, {
    nodes: [...NODES.slice(0, 2), node('node3', '192.168.2.103', '10.244.3.0/24')],
  }),
  'flannel-host-gw, two nodes claim one network': cluster(hostGw, {
    nodes: [...NODES, node('node4', '192.168.1.104', '10.244.2.0/23')],
  }),
  'flannel-host-gw, both families': cluster(hostGw, { nodes: BOTH_FAMILIES, cidrs: DUAL_CIDRS }),
  'calico-vxlan': cluster(calicoVxlan, { nodes: BLOCKS, endpoints: [pod(5)] }),
  'calico-vxlan across subnets': cluster(calicoVxlan, { nodes: BLOCKS, pools: crossSubnet('vxlan') }),
  'calico-ipip': cluster(ipip, { nodes: BLOCKS, endpoints: [pod(5)] }),
  'calico-ipip across subnets': cluster(ipip, { nodes: BLOCKS, pools: crossSubnet('ipip') }),
  'calico-ipip, routes by BIRD': cluster(PROFILES['calico-ipip'], { nodes: BLOCKS }),
  'calico, VXLAN and IPIP': cluster(ipip, { nodes: inTwoPools, pools: TWO_POOLS }),
  wireguard: cluster(wireguard, { nodes: BOTH_FAMILIES.map(onePool), endpoints: [pod(5)] }),
  'wireguard, nodes’ own traffic too, keepalive': cluster(wireguard, {
    nodes: BOTH_FAMILIES.map(onePool),
    felix: { ...DEFAULT_FELIX, wireguard: { ...DEFAULT_FELIX.wireguard, hosts: true, keepalive: 25 } },
  }),
  'wireguard, both families': cluster(wireguard, { nodes: BOTH_FAMILIES, cidrs: DUAL_CIDRS }),
  'wireguard over calico-ipip, node2 without a key': cluster(ipip, {
    nodes: withKeys.map((each) => (each.name === 'node2' ? { ...each, wireguardKeys: {} } : each)),
    felix: { ...DEFAULT_FELIX, wireguard: { ...DEFAULT_FELIX.wireguard, enabled: { 4: true, 6: false } } },
  }),
} as const satisfies Record<string, Snapshot>;
