/** Snapshot and facts -> what this node must look like. */

import { type BgpOutcome, calcBgp } from '#calc/bgp/bgp.ts';
import { askedKinds, birdsKinds, takenKinds, waysToSay } from '#calc/routes/change-over.ts';
import { isHost } from '#calc/routes/claims.ts';
import { fastPathOf } from '#calc/routes/fast-path.ts';
import { MIN_MTU, tunnelMtu } from '#calc/routes/mtu.ts';
import { peersOf } from '#calc/routes/peers.ts';
import { problem } from '#calc/routes/problems.ts';
import { tunnelsOf } from '#calc/routes/tunnels.ts';
import { macOfNames } from '#calc/routes/vtep-mac.ts';
import { poolOfNetwork } from '#calc/routes/ways.ts';
import { encryptionOf } from '#calc/routes/wireguard.ts';
import {
  ALL_FEATURES,
  type BridgeState,
  type Features,
  type NodeState,
  type Outcome,
  type PodRoute,
  type Problem,
  type TunnelState,
  type Underlay,
} from '#calc/state.ts';
import { addrPlus, compareAddr, familyOf } from '#net/addr.ts';
import { addrOf, firstAddr, ifAddr, lengthOf, type Prefix, prefixFamily } from '#net/prefix.ts';
import type { ClusterNode, Snapshot } from '#spec/cluster.ts';
import type { Pool } from '#spec/pool.ts';

/**
 * What this node must look like. The same for any order and repetition of the snapshot's lists.
 * Waits, and so changes nothing, while the cluster does not know this node or has given it no network.
 */
export function calcNodeState(snapshot: Snapshot, underlay: Underlay, features: Features = ALL_FEATURES): Outcome {
  const self = snapshot.nodes.findLast((node) => node.name === snapshot.local.node);
  if (!self) return { kind: 'waiting', problem: problem('node-unknown', snapshot.local.node) };
  const networks = [...new Set(self.networks)].sort();
  if (networks.length === 0) return { kind: 'waiting', problem: problem('no-pod-cidr', self.name) };
  return { kind: 'ready', state: stateOf(snapshot, { ...self, networks }, underlay, features) };
}

function stateOf(snapshot: Snapshot, self: ClusterNode, underlay: Underlay, features: Features): NodeState {
  const { config } = snapshot;
  const { attachment, hostIfPrefix, distribution, name: profile } = config.profile;
  const { networks } = self;
  const asked = askedKinds(snapshot, self);
  const taken = takenKinds(asked, self);
  const tunnels = tunnelsOf(snapshot, self, underlay, features, taken);
  const { peers, held, stranded, problems } = peersOf(snapshot, self, underlay);
  const encryption = encryptionOf(snapshot, { self, underlay, features, asked, networks: [...peers, ...stranded] });
  const { wireguard } = encryption;
  const bgp: BgpOutcome = taken.has('bgp')
    ? calcBgp(snapshot, self, underlay, heldBack(snapshot, held))
    : { problems: [] };
  const tunnelled = new Set(wireguard.flatMap((device) => device.peers.flatMap(({ routes }) => routes)));
  const largest = Math.min(underlay.mtu, ...[...tunnels, ...wireguard].map(({ mtu }) => mtu));
  const podMtu = config.mtu || largest;
  const ways = waysToSay(snapshot.nodes, self, {
    asked: encryption.offer === 'yes' ? new Set([...asked, 'wireguard' as const]) : asked,
    peers,
    birds: birdsKinds(peers, underlay, config.profile.devices.ipip.device),
    encrypts: tunnelled.size > 0,
  });
  const { told: _, ...plain } = underlay;
  const found = { underlay: plain, tunnels, peers, wireguard, podMtu };
  return {
    node: self.name,
    profile,
    ...found,
    attachment,
    ipam: config.profile.ipam,
    networks,
    hostIfPrefix,
    forwarding: [...new Set(networks.map(prefixFamily))].sort(),
    ...(attachment === 'bridge' ? { bridge: bridgeOf(config.profile.bridge, self, podMtu) } : {}),
    distribution,
    pods: podsOf(snapshot),
    blackholes: attachment === 'routed' ? networks.filter((network) => !isHost(network)) : [],
    masquerade: masqueradeOf(snapshot.pools),
    // A node that encrypts says nothing before it can say that: until then nobody speaks with it in plain text.
    ...(encryption.offer === 'soon' && !self.ways ? {} : { ways }),
    ...(config.fastPath ? { fastPath: fastPathOf(snapshot.local.endpoints, found) } : {}),
    ...(bgp.state ? { bgp: bgp.state } : {}),
    problems: [
      ...ownProblems(snapshot, self, underlay, tunnels, podMtu, largest),
      ...(tunnels.some((tunnel) => tunnel.kind === 'ipip' && tunnel.standIn) ? [problem('no-ipip', self.name)] : []),
      ...stranded.filter(({ network }) => !tunnelled.has(network)).map((each) => each.problem),
      ...problems,
      ...encryption.problems,
      ...bgp.problems,
    ],
  };
}

/** Networks that BIRD would lead to by their pools, were the cluster not changing over. */
function heldBack({ pools }: Snapshot, held: readonly Prefix[]): Prefix[] {
  return held.filter((network) => poolOfNetwork(pools, network)?.vxlan === 'never');
}

/** By pool: who gets the node's address, and where everybody keeps his own. */
function masqueradeOf(pools: readonly Pool[]): NodeState['masquerade'] {
  const sorted = (some: readonly Pool[]): Prefix[] => [...new Set(some.map(({ cidr }) => cidr))].sort(byAddr);
  return { from: sorted(pools.filter(({ natOutgoing }) => natOutgoing)), inside: sorted(pools) };
}

function byAddr(a: Prefix, b: Prefix): number {
  return prefixFamily(a) - prefixFamily(b) || compareAddr(addrOf(a), addrOf(b));
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

function ownProblems(
  snapshot: Snapshot,
  self: ClusterNode,
  underlay: Underlay,
  tunnels: readonly TunnelState[],
  podMtu: number,
  max: number,
): Problem[] {
  const { ifname } = underlay;
  const found: Problem[] = [];
  for (const cidr of self.networks) {
    if (poolOfNetwork(snapshot.pools, cidr)) continue;
    const cluster = snapshot.pools.map((pool) => pool.cidr).join(', ') || 'none';
    found.push(problem('pod-cidr-outside-cluster', self.name, { cidr, cluster }));
  }
  if (!underlay.addrs.some((addr) => addrOf(addr) === self.addr)) {
    const details = { addr: self.addr, ifname, subnets: underlay.addrs.join(', ') || 'none' };
    found.push(problem('node-addr-not-local', self.name, details));
  }
  if (podMtu > max) found.push(problem('mtu-too-large', self.name, { mtu: podMtu, max, ifname, what: 'pods' }));
  for (const { device, kind, mtu } of tunnels) {
    const room = tunnelMtu(kind, underlay.mtu, kind === 'ipip' ? 4 : familyOf(self.addr));
    if (mtu > room) found.push(problem('mtu-too-large', self.name, { mtu, max: room, ifname, what: device }));
  }
  if (podMtu < MIN_MTU) found.push(problem('mtu-too-small', self.name, { mtu: podMtu, min: MIN_MTU, ifname }));
  return found;
}
