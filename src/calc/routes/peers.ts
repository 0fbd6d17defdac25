/** The other nodes' networks and the way to each. */

import { problem } from '#calc/routes/problems.ts';
import { macOfNames } from '#calc/routes/vtep-mac.ts';
import type { PeerNetwork, Problem, Underlay, Way } from '#calc/state.ts';
import { familyOf } from '#net/addr.ts';
import { type Mac, readMac } from '#net/mac.ts';
import { contains, containsPrefix, firstAddr, networkOf, overlaps, type Prefix, prefixFamily } from '#net/prefix.ts';
import type { ClusterNode, Snapshot } from '#spec/cluster.ts';

interface Claim {
  readonly node: ClusterNode;
  readonly network: Prefix;
}

/** Hardware address of a node's VXLAN device: from its name, unless its annotation says another. */
export function vtepMacOf(node: Pick<ClusterNode, 'name' | 'vtepMac'>): Mac {
  return readMac(node.vtepMac ?? '') ?? macOfNames(node.name, 'vtep');
}

/** Peers and the problems among them, both in the order of node names: a function of the set, not of its order. */
export function peersOf(
  snapshot: Snapshot,
  self: ClusterNode,
  underlay: Underlay,
): { peers: PeerNetwork[]; problems: Problem[] } {
  const peers: PeerNetwork[] = [];
  const problems: Problem[] = [];
  const taken: Claim[] = self.networks.map((network) => ({ node: self, network }));
  for (const claim of claimsOf(snapshot, self)) {
    const wrong = refuse(claim, taken, snapshot);
    if (!wrong) taken.push(claim);
    const way = wrong ?? wayTo(claim, snapshot, underlay);
    if ('code' in way) problems.push(way);
    else peers.push({ node: claim.node.name, network: claim.network, way });
  }
  return { peers, problems };
}

/** Each network of each other node once, by name; of two entries of one name the last one counts. */
function claimsOf(snapshot: Snapshot, self: ClusterNode): Claim[] {
  const byName = new Map(snapshot.nodes.map((node) => [node.name, node]));
  byName.delete(self.name);
  const nodes = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return nodes.flatMap((node) => [...new Set(node.networks)].sort().map((network) => ({ node, network })));
}

/** Why a network gets no route whatever the way, if it does not. The first holder by name keeps an address. */
function refuse({ node, network }: Claim, taken: readonly Claim[], { config }: Snapshot): Problem | undefined {
  const holder = taken.find((other) => overlaps(other.network, network));
  if (holder) {
    const details = { cidr: network, other: holder.network, holder: holder.node.name };
    return problem('pod-cidr-overlap', node.name, details);
  }
  if (prefixFamily(network) === prefixFamily(config.clusterCidr) && !containsPrefix(config.clusterCidr, network)) {
    return problem('pod-cidr-outside-cluster', node.name, { cidr: network, cluster: config.clusterCidr });
  }
  return undefined;
}

function wayTo({ node, network }: Claim, { config, pools }: Snapshot, underlay: Underlay): Way | Problem {
  if (pools.some(({ vxlan }) => vxlan !== 'never')) {
    const { device } = config.profile.devices.vxlan;
    return { kind: 'vxlan', device, vtep: firstAddr(network), mac: vtepMacOf(node), remote: node.addr };
  }
  if (familyOf(node.addr) !== prefixFamily(network)) {
    return problem('family-mismatch', node.name, { cidr: network, addr: node.addr });
  }
  if (onLink(underlay, node)) return { kind: 'direct', via: node.addr, ifname: underlay.ifname };
  const details = { addr: node.addr, ifname: underlay.ifname, subnets: underlay.addrs.join(', ') };
  return problem('other-subnet', node.name, details);
}

function onLink(underlay: Underlay, node: ClusterNode): boolean {
  return underlay.addrs.some((addr) => contains(networkOf(addr), node.addr));
}
