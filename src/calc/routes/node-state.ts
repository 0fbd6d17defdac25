/** Snapshot and facts -> what this node must look like. */

import { fastPathOf } from '#calc/routes/fast-path.ts';
import { largestPodMtu, MIN_MTU } from '#calc/routes/mtu.ts';
import { peersOf, vtepMacOf } from '#calc/routes/peers.ts';
import { problem } from '#calc/routes/problems.ts';
import { macOfNames } from '#calc/routes/vtep-mac.ts';
import type { BridgeState, NodeState, Outcome, PodRoute, Problem, TunnelState, Underlay } from '#calc/state.ts';
import { addrPlus, compareAddr } from '#net/addr.ts';
import { addrOf, containsPrefix, firstAddr, hostPrefix, ifAddr, lengthOf, prefixFamily } from '#net/prefix.ts';
import type { ClusterNode, Snapshot } from '#spec/cluster.ts';

/**
 * What this node must look like. The same for any order and repetition of the snapshot's lists.
 * Waits, and so changes nothing, while the cluster does not know this node or has given it no network.
 */
export function calcNodeState(snapshot: Snapshot, underlay: Underlay): Outcome {
  const self = snapshot.nodes.findLast((node) => node.name === snapshot.local.node);
  if (!self) return { kind: 'waiting', problem: problem('node-unknown', snapshot.local.node) };
  const networks = [...new Set(self.networks)].sort();
  if (networks.length === 0) return { kind: 'waiting', problem: problem('no-pod-cidr', self.name) };
  return { kind: 'ready', state: stateOf(snapshot, { ...self, networks }, underlay) };
}

function stateOf(snapshot: Snapshot, self: ClusterNode, underlay: Underlay): NodeState {
  const { config } = snapshot;
  const { attachment, hostIfPrefix, name: profile } = config.profile;
  const { networks } = self;
  const podMtu = config.mtu || largestPodMtu(underlay, snapshot.pools, self.addr);
  const tunnels = tunnelsOf(snapshot, self, underlay);
  const { peers, problems } = peersOf(snapshot, self, underlay);
  return {
    node: self.name,
    profile,
    underlay,
    attachment,
    ipam: config.profile.ipam,
    networks,
    podMtu,
    hostIfPrefix,
    forwarding: [...new Set(networks.map(prefixFamily))].sort(),
    ...(attachment === 'bridge' ? { bridge: bridgeOf(config.profile.bridge, self, podMtu) } : {}),
    tunnels,
    peers,
    pods: podsOf(snapshot),
    blackholes: attachment === 'routed' ? networks : [],
    masquerade: config.masquerade ? [config.clusterCidr] : [],
    ...(config.fastPath ? { fastPath: fastPathOf(snapshot.local.endpoints, peers, underlay, tunnels[0], podMtu) } : {}),
    problems: [...ownProblems(snapshot, self, underlay, podMtu), ...problems],
  };
}

/** The device speaks with the first address of the node CIDR, which no pod gets: so answers come back by the tunnel. */
function tunnelsOf({ config, pools }: Snapshot, self: ClusterNode, underlay: Underlay): TunnelState[] {
  if (pools.every(({ vxlan }) => vxlan === 'never')) return [];
  const hosts = self.networks.map((network) => hostPrefix(firstAddr(network)));
  return [
    {
      kind: 'vxlan',
      ...config.profile.devices.vxlan,
      local: self.addr,
      underlay: underlay.ifname,
      mac: vtepMacOf(self),
      addrs: hosts.map((host) => ifAddr(addrOf(host), lengthOf(host))),
      mtu: largestPodMtu(underlay, pools, self.addr),
    },
  ];
}

function bridgeOf(name: string, self: ClusterNode, mtu: number): BridgeState {
  const addrs = self.networks.map((cidr) => ifAddr(addrPlus(firstAddr(cidr), 1), lengthOf(cidr)));
  return { name, addrs, mac: macOfNames(self.name, name), mtu };
}

/** Pods in the order of their addresses; the last of two endpoints with one address has it. */
function podsOf({ local }: Snapshot): PodRoute[] {
  const routed = local.endpoints.filter((endpoint) => endpoint.attachment === 'routed');
  const byAddr = new Map(routed.flatMap(({ addrs, hostIfname }) => addrs.map((addr) => [addr, hostIfname])));
  const pods = [...byAddr].map(([addr, ifname]) => ({ addr, ifname }));
  return pods.sort((a, b) => compareAddr(a.addr, b.addr));
}

function ownProblems(snapshot: Snapshot, self: ClusterNode, underlay: Underlay, podMtu: number): Problem[] {
  const { config, pools } = snapshot;
  const { ifname } = underlay;
  const found: Problem[] = [];
  for (const cidr of self.networks) {
    if (prefixFamily(cidr) !== prefixFamily(config.clusterCidr) || containsPrefix(config.clusterCidr, cidr)) continue;
    found.push(problem('pod-cidr-outside-cluster', self.name, { cidr, cluster: config.clusterCidr }));
  }
  if (!underlay.addrs.some((addr) => addrOf(addr) === self.addr)) {
    const details = { addr: self.addr, ifname, subnets: underlay.addrs.join(', ') || 'none' };
    found.push(problem('node-addr-not-local', self.name, details));
  }
  const max = largestPodMtu(underlay, pools, self.addr);
  if (podMtu > max) found.push(problem('mtu-too-large', self.name, { mtu: podMtu, max, ifname }));
  if (podMtu < MIN_MTU) found.push(problem('mtu-too-small', self.name, { mtu: podMtu, min: MIN_MTU, ifname }));
  return found;
}
