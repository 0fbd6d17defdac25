/** Named clusters, as a node sees them: what tests of calc, plan and sync walk between. */

import type { Underlay } from '#calc/state.ts';
import { parseAddr } from '#net/addr.ts';
import { parseMac } from '#net/mac.ts';
import { parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { DEFAULT_BGP } from '#spec/bgp.ts';
import { type ClusterNode, defaultPool, PROFILES, type Profile, type Snapshot } from '#spec/cluster.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';

export const UNDERLAY: Underlay = { ifname: 'eth0', addrs: [parseIfAddr('192.168.1.101/24')], mtu: 1500 };

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

export function cluster(profile: Profile, changes: Partial<Pick<Snapshot, 'nodes'>> & Partial<Options> = {}): Snapshot {
  const { nodes = NODES, endpoints = [], mtu = 0, masquerade = true } = changes;
  const config = { profile, clusterCidr: parsePrefix('10.244.0.0/16'), masquerade, mtu };
  const pools = [defaultPool(config)];
  return { config, nodes, pools, bgp: DEFAULT_BGP, local: { node: 'node1', endpoints } };
}

interface Options {
  readonly endpoints: readonly LocalEndpoint[];
  readonly mtu: number;
  readonly masquerade: boolean;
}

const { vxlan, 'flannel-vxlan': flannelVxlan, 'flannel-host-gw': hostGw } = PROFILES;
const dual = [
  node('node1', '192.168.1.101', '10.244.1.0/24', 'fd00:10:244:1::/64'),
  node('node2', '192.168.1.102', '10.244.2.0/24', 'fd00:10:244:2::/64'),
];

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
  'vxlan, both families': cluster(vxlan, { nodes: dual }),
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
} as const satisfies Record<string, Snapshot>;
