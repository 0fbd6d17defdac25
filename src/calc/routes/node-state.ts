/** Snapshot and facts -> what this node must look like. */

import { fastPathOf } from '#calc/routes/fast-path.ts';
import { largestPodMtu, MIN_MTU } from '#calc/routes/mtu.ts';
import { peersOf, vtepMacOf } from '#calc/routes/peers.ts';
import { problem } from '#calc/routes/problems.ts';
import { macOfNames } from '#calc/routes/vtep-mac.ts';
import type { BridgeState, NodeState, Outcome, PodRoute, Problem, TunnelState, Underlay } from '#calc/state.ts';
import { addrPlus, compareAddr } from '#net/addr.ts';
import { addrOf, containsPrefix, firstAddr, hostPrefix, ifAddr, lengthOf, prefixFamily } from '#net/prefix.ts';
import type { ClusterConfig, ClusterNode, Snapshot } from '#spec/cluster.ts';

/**
 * What this node must look like. The same for any order and repetition of the snapshot's lists.
 * Waits, and so changes nothing, while the cluster does not know this node or has given it no network.
 */
export function calcNodeState(snapshot: Snapshot, underlay: Underlay): Outcome {
  const self = snapshot.nodes.findLast((node) => node.name === snapshot.local.node);
  if (!self) return { kind: 'waiting', problem: problem('node-unknown', snapshot.local.node) };
  const podCidrs = [...new Set(self.podCidrs)].sort();
  if (podCidrs.length === 0) return { kind: 'waiting', problem: problem('no-pod-cidr', self.name) };
  return { kind: 'ready', state: stateOf(snapshot, { ...self, podCidrs }, underlay) };
}

function stateOf(snapshot: Snapshot, self: ClusterNode, underlay: Underlay): NodeState {
  const { config } = snapshot;
  const { attachment, hostIfPrefix, name: profile } = config.profile;
  const { podCidrs } = self;
  const podMtu = config.mtu || largestPodMtu(underlay, config.profile.encapsulation, self.addr);
  const tunnel = tunnelOf(config, self, underlay);
  const { peers, problems } = peersOf(snapshot, self, underlay);
  return {
    node: self.name,
    profile,
    underlay,
    attachment,
    podCidrs,
    podMtu,
    hostIfPrefix,
    forwarding: [...new Set(podCidrs.map(prefixFamily))].sort(),
    ...(attachment === 'bridge' ? { bridge: bridgeOf(config.profile.bridge, self, podMtu) } : {}),
    ...(tunnel ? { tunnel } : {}),
    peers,
    pods: podsOf(snapshot),
    blackholes: attachment === 'routed' ? podCidrs : [],
    masquerade: config.masquerade ? [config.clusterCidr] : [],
    ...(config.fastPath ? { fastPath: fastPathOf(snapshot.local.endpoints, peers, underlay, tunnel, podMtu) } : {}),
    problems: [...ownProblems(config, self, underlay, podMtu), ...problems],
  };
}

/** The device speaks with the first address of the node CIDR, which no pod gets: so answers come back by the tunnel. */
function tunnelOf(config: ClusterConfig, self: ClusterNode, underlay: Underlay): TunnelState | undefined {
  const { encapsulation } = config.profile;
  if (encapsulation.kind !== 'vxlan') return undefined;
  const { device, vni, port } = encapsulation;
  return {
    device,
    vni,
    port,
    local: self.addr,
    underlay: underlay.ifname,
    mac: vtepMacOf(self),
    addrs: self.podCidrs.map((cidr) => hostPrefix(firstAddr(cidr))).map((host) => ifAddr(addrOf(host), lengthOf(host))),
    mtu: largestPodMtu(underlay, encapsulation, self.addr),
  };
}

function bridgeOf(name: string, self: ClusterNode, mtu: number): BridgeState {
  const addrs = self.podCidrs.map((cidr) => ifAddr(addrPlus(firstAddr(cidr), 1), lengthOf(cidr)));
  return { name, addrs, mac: macOfNames(self.name, name), mtu };
}

/** Pods in the order of their addresses; the last of two endpoints with one address has it. */
function podsOf({ local }: Snapshot): PodRoute[] {
  const routed = local.endpoints.filter((endpoint) => endpoint.attachment === 'routed');
  const byAddr = new Map(routed.flatMap(({ addrs, hostIfname }) => addrs.map((addr) => [addr, hostIfname])));
  const pods = [...byAddr].map(([addr, ifname]) => ({ addr, ifname }));
  return pods.sort((a, b) => compareAddr(a.addr, b.addr));
}

function ownProblems(config: ClusterConfig, self: ClusterNode, underlay: Underlay, podMtu: number): Problem[] {
  const { ifname } = underlay;
  const found: Problem[] = [];
  for (const cidr of self.podCidrs) {
    if (prefixFamily(cidr) !== prefixFamily(config.clusterCidr) || containsPrefix(config.clusterCidr, cidr)) continue;
    found.push(problem('pod-cidr-outside-cluster', self.name, { cidr, cluster: config.clusterCidr }));
  }
  if (!underlay.addrs.some((addr) => addrOf(addr) === self.addr)) {
    const details = { addr: self.addr, ifname, subnets: underlay.addrs.join(', ') || 'none' };
    found.push(problem('node-addr-not-local', self.name, details));
  }
  const max = largestPodMtu(underlay, config.profile.encapsulation, self.addr);
  if (podMtu > max) found.push(problem('mtu-too-large', self.name, { mtu: podMtu, max, ifname }));
  if (podMtu < MIN_MTU) found.push(problem('mtu-too-small', self.name, { mtu: podMtu, min: MIN_MTU, ifname }));
  return found;
}
