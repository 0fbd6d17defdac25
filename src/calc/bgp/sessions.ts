/** With whom this node speaks BGP: the mesh, the BGPPeers that are for it, and what cannot be. */

import type { BgpSession, PeerType } from '#calc/bgp/state.ts';
import { problem } from '#calc/routes/problems.ts';
import type { Problem } from '#calc/state.ts';
import { type Addr, familyOf } from '#net/addr.ts';
import { contains, type Prefix } from '#net/prefix.ts';
import { type BgpConfiguration, type BgpPeer, type BgpSettings, MAX_AS_NUMBER } from '#spec/bgp.ts';
import type { ClusterNode, Snapshot } from '#spec/cluster.ts';
import { readSelector, selects } from '#spec/selector.ts';

const BGP_PORT = 179;

/** Calico's names of BIRD's protocols begin with these. */
const PREFIXES = { 'node-to-node mesh': 'Mesh', 'node specific': 'Node', global: 'Global' } as const satisfies Record<
  PeerType,
  string
>;

export interface Sessions {
  readonly sessions: readonly BgpSession[];
  readonly problems: readonly Problem[];
}

/** The settings that hold for one node. */
export function configurationOf(bgp: BgpSettings, node: string): BgpConfiguration {
  return { ...bgp.configuration, ...bgp.nodes[node] };
}

export function asNumberOf(bgp: BgpSettings, node: ClusterNode): number {
  return node.asNumber ?? configurationOf(bgp, node.name).asNumber;
}

/** Sorted by name; of two sessions with one address the BGPPeer's counts, then the one whose BGPPeer comes first by name. */
export function sessionsOf({ nodes, bgp }: Snapshot, self: ClusterNode, subnets: readonly Prefix[]): Sessions {
  const others = nodes.filter(({ name }) => name !== self.name);
  const peers = [...bgp.peers].sort((a, b) => (a.name < b.name ? -1 : 1));
  const found = peers.map((peer) => fromPeer(peer, bgp, self, others));
  const asked = found.flatMap(({ sessions }) => sessions).map((session) => watched(session, self, subnets));
  const all = [...asked, ...mesh(bgp, self, others)];
  const byAddr = new Map<string, BgpSession>();
  for (const session of all) {
    const key = `${session.addr} ${session.port}`;
    if (!byAddr.has(key)) byAddr.set(key, session);
  }
  return {
    sessions: [...byAddr.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    problems: found.flatMap(({ problems }) => problems),
  };
}

/** BFD's packets go no farther than a shared subnet, and from an address that both know. */
function watched(session: BgpSession, self: ClusterNode, subnets: readonly Prefix[]): BgpSession {
  if (!session.bfd) return session;
  const local = self.addrs.find((addr) => familyOf(addr) === familyOf(session.addr));
  const near = local !== undefined && subnets.some((subnet) => contains(subnet, session.addr));
  return near ? { ...session, local } : { ...session, bfd: false };
}

/** Every node with every other one, route reflectors aside: those have BGPPeers. */
function mesh(bgp: BgpSettings, self: ClusterNode, others: readonly ClusterNode[]): BgpSession[] {
  const { mesh: wanted, meshMaxRestartSeconds, meshPassword } = configurationOf(bgp, self.name);
  if (!wanted || self.routeReflectorClusterId !== undefined) return [];
  const members = others.filter((node) => node.routeReflectorClusterId === undefined);
  return members.flatMap((node) =>
    pairs(self, node).map(([local, addr]) => ({
      ...base('node-to-node mesh', `node ${node.name}`, addr, configurationOf(bgp, node.name).listenPort),
      asNumber: asNumberOf(bgp, node),
      local,
      ...(meshMaxRestartSeconds === undefined ? {} : { maxRestartSeconds: meshMaxRestartSeconds }),
      ...(meshPassword === undefined ? {} : { password: meshPassword }),
    })),
  );
}

/** Own and other address of each family that both have. */
function pairs(self: ClusterNode, other: ClusterNode): [Addr, Addr][] {
  return self.addrs.flatMap((local): [Addr, Addr][] => {
    const addr = other.addrs.find((each) => familyOf(each) === familyOf(local));
    return addr === undefined ? [] : [[local, addr]];
  });
}

function base(type: PeerType, origin: string, addr: Addr, port: number) {
  const suffix = port === BGP_PORT ? '' : `_port_${port}`;
  const name = `${PREFIXES[type]}_${addr.replace(/[.:]/g, '_')}${suffix}`;
  return { name, type, origin, addr, port, nextHop: 'auto', bfd: false, filters: [] } as const;
}

/** A peer's end as a BGPPeer names it. */
interface End {
  readonly addr: Addr;
  readonly port: number;
  readonly asNumber: number;
  /** This node's here, if not its own. */
  readonly localAsNumber?: number;
  readonly node?: ClusterNode;
}

function fromPeer(peer: BgpPeer, bgp: BgpSettings, self: ClusterNode, others: readonly ClusterNode[]): Sessions {
  const wrong = selectorProblem(peer, self.name) ?? endProblem(peer, self);
  if (wrong) return { sessions: [], problems: isFor(peer, self) || wrong.code === 'bgp-selector' ? [wrong] : [] };
  const ends = peer.peerSelector === undefined ? externalEnds(peer, self, others) : nodeEnds(peer, bgp, self, others);
  const sessions = ends.map((end) => sessionWith(peer, bgp, self, end));
  return { sessions, problems: filterProblems(peer, bgp, self, sessions.length) };
}

function isFor(peer: BgpPeer, node: ClusterNode): boolean {
  if (peer.node !== undefined) return peer.node === node.name;
  return chosen(peer.nodeSelector, node);
}

function chosen(selector: string | undefined, node: ClusterNode): boolean {
  if (selector === undefined || selector === '') return true;
  const read = readSelector(selector);
  return read !== undefined && selects(read, node.labels);
}

function selectorProblem(peer: BgpPeer, node: string): Problem | undefined {
  const bad = [peer.nodeSelector, peer.peerSelector].find((each) => each && readSelector(each) === undefined);
  return bad ? problem('bgp-selector', node, { peer: peer.name, selector: bad }) : undefined;
}

function isAsNumber(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 1 && value <= MAX_AS_NUMBER;
}

function asProblem({ name }: BgpPeer, self: ClusterNode, as: number | undefined): Problem {
  return problem('bgp-peer-as', self.name, { peer: name, as: as ?? 'none', max: MAX_AS_NUMBER });
}

/** What of a peer, most of it of one outside of the cluster, makes no session. */
function endProblem(peer: BgpPeer, self: ClusterNode): Problem | undefined {
  if (peer.localAsNumber !== undefined && !isAsNumber(peer.localAsNumber))
    return asProblem(peer, self, peer.localAsNumber);
  if (peer.peerSelector !== undefined) return undefined;
  const { name, peerIp, asNumber } = peer;
  if (peerIp === undefined) return problem('bgp-peer-nobody', self.name, { peer: name });
  if (!isAsNumber(asNumber)) return asProblem(peer, self, asNumber);
  const own = self.addrs.includes(peerIp);
  // A peer for all nodes may well be one of them; one that is meant for this node alone cannot.
  if (own && (peer.node !== undefined || peer.nodeSelector === undefined)) {
    return problem('bgp-peer-self', self.name, { peer: name, addr: peerIp });
  }
  if (!self.addrs.some((addr) => familyOf(addr) === familyOf(peerIp))) {
    return problem('bgp-peer-family', self.name, { peer: name, addr: peerIp, own: self.addrs.join(', ') });
  }
  return undefined;
}

function externalEnds(peer: BgpPeer, self: ClusterNode, others: readonly ClusterNode[]): End[] {
  const { peerIp, asNumber, peerPort = BGP_PORT } = peer;
  if (peerIp === undefined || asNumber === undefined || !isFor(peer, self) || self.addrs.includes(peerIp)) return [];
  const node = others.find(({ addrs }) => addrs.includes(peerIp));
  return [{ addr: peerIp, port: peerPort, asNumber, ...localAs(peer), ...(node === undefined ? {} : { node }) }];
}

/** With `peerSelector` the session has two sides: nodes that it is for, and nodes that it selects. */
function nodeEnds(peer: BgpPeer, bgp: BgpSettings, self: ClusterNode, others: readonly ClusterNode[]): End[] {
  return others.flatMap((node) => {
    const ours = isFor(peer, self) && chosen(peer.peerSelector, node);
    const theirs = isFor(peer, node) && chosen(peer.peerSelector, self);
    if (!ours && (!theirs || peer.reversePeering === 'manual')) return [];
    return pairs(self, node).map(([, addr]) => ({
      addr,
      port: peer.peerPort ?? configurationOf(bgp, node.name).listenPort,
      asNumber: (theirs ? peer.localAsNumber : undefined) ?? asNumberOf(bgp, node),
      ...(ours ? localAs(peer) : {}),
      node,
    }));
  });
}

function localAs({ localAsNumber }: Pick<BgpPeer, 'localAsNumber'>): { readonly localAsNumber?: number } {
  return localAsNumber === undefined ? {} : { localAsNumber };
}

function sessionWith(peer: BgpPeer, bgp: BgpSettings, self: ClusterNode, end: End): BgpSession {
  const type = peer.node === undefined && !peer.nodeSelector ? 'global' : 'node specific';
  const local = self.addrs.find((addr) => familyOf(addr) === familyOf(end.addr));
  const cluster = self.routeReflectorClusterId;
  const own = end.localAsNumber ?? asNumberOf(bgp, self);
  const client = cluster !== undefined && end.asNumber === own && end.node?.routeReflectorClusterId !== cluster;
  return {
    ...base(type, `BGPPeer ${peer.name}`, end.addr, end.port),
    asNumber: end.asNumber,
    ...localAs(end),
    nextHop: peer.nextHop,
    bfd: peer.failureDetection === 'bfd',
    filters: peer.filters.filter((name) => bgp.filters.some((filter) => filter.name === name)),
    ...(peer.sourceAddress === 'None' || local === undefined ? {} : { local }),
    ...(peer.password === undefined ? {} : { password: peer.password }),
    ...(client ? { rrClusterId: cluster } : {}),
    ...(peer.maxRestartSeconds === undefined ? {} : { maxRestartSeconds: peer.maxRestartSeconds }),
    ...(peer.numAllowedLocalAsNumbers === undefined ? {} : { numAllowedLocalAsNumbers: peer.numAllowedLocalAsNumbers }),
    ...(peer.ttlSecurity === undefined ? {} : { ttlSecurity: peer.ttlSecurity }),
    ...(peer.reachableBy === undefined ? {} : { reachableBy: peer.reachableBy }),
  };
}

/** A filter that is not there filters nothing: said, once for the peer. */
function filterProblems(peer: BgpPeer, { filters }: BgpSettings, self: ClusterNode, sessions: number): Problem[] {
  const missing = peer.filters.filter((name) => !filters.some((filter) => filter.name === name));
  if (sessions === 0) return [];
  return missing.map((filter) => problem('bgp-filter', self.name, { peer: peer.name, filter }));
}
