/** The other nodes' networks and the way to each. */

import { askedKinds, commonKinds, routeOf, takenKinds } from '#calc/routes/change-over.ts';
import { type Claim, Holders } from '#calc/routes/claims.ts';
import { problem } from '#calc/routes/problems.ts';
import { type Here, poolOfNetwork, vtepMacOf, wayNow, wayTo } from '#calc/routes/ways.ts';
import type { PeerNetwork, Problem, Underlay } from '#calc/state.ts';
import type { Addr } from '#net/addr.ts';
import type { Mac } from '#net/mac.ts';
import type { Prefix } from '#net/prefix.ts';
import type { ClusterNode, Snapshot } from '#spec/cluster.ts';

export interface Peers {
  readonly peers: readonly PeerNetwork[];
  /** Networks to which the agent is to lead, and nobody else. */
  readonly held: readonly Prefix[];
  /** Networks to which plain routes cannot lead, and why: a tunnel of another kind still may. */
  readonly stranded: readonly Stranded[];
  readonly problems: readonly Problem[];
}

export interface Stranded extends Pick<PeerNetwork, 'node' | 'network'> {
  readonly problem: Problem;
}

const STRANDING: ReadonlySet<Problem['code']> = new Set(['other-subnet', 'family-mismatch']);

/** Peers and the problems among them, both in the order of node names: a function of the set, not of its order. */
export function peersOf(snapshot: Snapshot, self: ClusterNode, underlay: Underlay): Peers {
  const here = { node: self, underlay, devices: snapshot.config.profile.devices };
  const taken = takenKinds(askedKinds(snapshot, self), self);
  const peers: PeerNetwork[] = [];
  const held: Prefix[] = [];
  const stranded: Stranded[] = [];
  const others = otherNodes(snapshot, self);
  const refused = nodesRefused(others, self, taken.has('vxlan'));
  const problems = [...refused.values()];
  const holders = new Holders([self, ...others].flatMap(({ networks }) => networks));
  for (const network of self.networks) holders.take({ node: self, network });
  for (const claim of claimsOf(others.filter(({ name }) => !refused.has(name)))) {
    const wrong = refuse(claim, holders.holder(claim.network));
    if (!wrong) holders.take(claim);
    const { way, leads }: Led = wrong ? { way: wrong, leads: 'agent' } : leading(claim, snapshot, here);
    const place = { node: claim.node.name, network: claim.network };
    if ('code' in way && STRANDING.has(way.code)) stranded.push({ ...place, problem: way });
    else if ('code' in way) problems.push(way);
    else peers.push({ ...place, way, route: routeOf({ ...place, way }, leads, underlay, here.devices.ipip.device) });
    if (leads === 'agent') held.push(claim.network);
  }
  return { peers, held, stranded, problems };
}

interface Led {
  readonly way: PeerNetwork['way'] | Problem;
  readonly leads: 'agent' | 'bird';
}

/** BIRD knows of pools, not of how far another node is with a change: a way that is not the pool's own is the agent's. */
function leading(claim: Claim, snapshot: Snapshot, here: Here): Led {
  const pool = poolOfNetwork(snapshot.pools, claim.network);
  if (!pool) return { way: outside(claim, snapshot), leads: 'agent' };
  const way = wayNow(claim, pool, here, commonKinds(here.node, claim.node));
  const told = snapshot.config.profile.distribution === 'bird' && pool.vxlan === 'never';
  const own = told && JSON.stringify(way) === JSON.stringify(wayTo(claim, pool, here));
  return { way, leads: own ? 'bird' : 'agent' };
}

/** By name; of two entries of one name the last one counts. */
export function otherNodes(snapshot: Snapshot, self: ClusterNode): ClusterNode[] {
  const byName = new Map(snapshot.nodes.map((node) => [node.name, node]));
  byName.delete(self.name);
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Nodes to which packets would go astray, each with the reason: the first by name keeps what two have, we our own. */
function nodesRefused(others: readonly ClusterNode[], self: ClusterNode, vxlan: boolean): Map<string, Problem> {
  const addrs = new Map<Addr, string>(self.addrs.map((addr) => [addr, self.name]));
  const macs = new Map<Mac, string>([[vtepMacOf(self), self.name]]);
  const refused = new Map<string, Problem>();
  for (const node of others) {
    const wrong = nodeRefusal(node, addrs, vxlan ? macs : new Map());
    if (wrong) refused.set(node.name, wrong);
    for (const addr of wrong ? [] : node.addrs) addrs.set(addr, node.name);
    if (!wrong) macs.set(vtepMacOf(node), node.name);
  }
  return refused;
}

function nodeRefusal(
  node: ClusterNode,
  addrs: ReadonlyMap<Addr, string>,
  macs: ReadonlyMap<Mac, string>,
): Problem | undefined {
  const addr = node.addrs.find((each) => addrs.has(each));
  if (addr !== undefined) return problem('node-addr-taken', node.name, { addr, holder: addrs.get(addr) ?? '' });
  const mac = vtepMacOf(node);
  const holder = macs.get(mac);
  return holder === undefined ? undefined : problem('vtep-mac-taken', node.name, { mac, holder });
}

function claimsOf(nodes: readonly ClusterNode[]): Claim[] {
  return nodes.flatMap((node) => [...new Set(node.networks)].sort().map((network) => ({ node, network })));
}

/** Why a network gets no route whatever the way, if it does not. The first holder by name keeps an address. */
function refuse({ node, network }: Claim, holder: Claim | undefined): Problem | undefined {
  if (!holder) return undefined;
  const details = { cidr: network, other: holder.network, holder: holder.node.name };
  return problem('pod-cidr-overlap', node.name, details);
}

function outside({ node, network }: Claim, { pools }: Snapshot): Problem {
  const cluster = pools.map(({ cidr }) => cidr).join(', ') || 'none';
  return problem('pod-cidr-outside-cluster', node.name, { cidr: network, cluster });
}
