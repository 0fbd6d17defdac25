/**
 * How a cluster gets from one way of carrying packets to another without losing one: peer by peer, by what nodes say.
 *
 * 1. Settings ask for a new kind: each node makes what takes packets of it, keeps what takes the old one, and says so.
 * 2. A node sends to a peer by the new kind once both have said that they take it; until then by one that both take.
 * 3. A node that sends by the old kind no longer says so; once nobody does, each says that it takes it no longer.
 * 4. What took it goes when the cluster has heard that.
 *
 * Routes of BIRD's are such a kind, too: a node speaks BGP until nobody goes by what it says. Between the agent and BIRD a
 * route is handed over by standing beside the other's for a while (`routeOf`).
 *
 * A node that is away keeps its kind, and so do those that speak with it: mixed, but connected. All that has to be
 * remembered stands in the cluster, so agents may end at any instant. Who has said nothing is taken to be as the settings
 * want it.
 */

import { addrOfFamily } from '#calc/routes/ways.ts';
import type { PeerNetwork, Underlay } from '#calc/state.ts';
import { prefixFamily } from '#net/prefix.ts';
import type { ClusterNode, Snapshot } from '#spec/cluster.ts';
import type { Pool } from '#spec/pool.ts';
import { inOrder, type SaidWays, type WayKind } from '#spec/ways.ts';

/** Kinds that the settings ask for, encryption aside. IPIP is IPv4 inside IPv4, from nodes that have such an address. */
export function askedKinds({ config, pools }: Asking, self: ClusterNode): ReadonlySet<WayKind> {
  const hasIpv4 = addrOfFamily(self, 4) !== undefined;
  const kinds = pools.flatMap((pool) => kindsOf(pool, hasIpv4));
  return new Set([...kinds, ...(config.profile.distribution === 'bird' ? (['bgp'] as const) : [])]);
}

type Asking = Pick<Snapshot, 'config' | 'pools'>;

function kindsOf({ cidr, ipip, vxlan }: Pool, hasIpv4: boolean): WayKind[] {
  const inside = ipip !== 'never' && (prefixFamily(cidr) === 6 || !hasIpv4) ? 'never' : ipip;
  const always = inside === 'always' || vxlan === 'always';
  return [
    ...(inside === 'never' ? [] : (['ipip'] as const)),
    ...(vxlan === 'never' ? [] : (['vxlan'] as const)),
    ...(always ? [] : (['direct'] as const)),
  ];
}

/** Kinds that the node must be able to take: those asked for, and those that the others may still believe it takes. */
export function takenKinds(asked: ReadonlySet<WayKind>, { ways }: ClusterNode): ReadonlySet<WayKind> {
  return new Set([...asked, ...(ways?.accepts ?? [])]);
}

/** Kinds that both take, the other's first choice first; undefined while one of the two has said nothing. */
export function commonKinds(self: ClusterNode, other: ClusterNode): readonly WayKind[] | undefined {
  if (!self.ways || !other.ways) return undefined;
  const own = new Set(self.ways.accepts);
  return other.ways.accepts.filter((kind) => own.has(kind));
}

interface Reached {
  /** Kinds that settings ask for, encryption among them. */
  readonly asked: ReadonlySet<WayKind>;
  readonly peers: readonly Pick<PeerNetwork, 'way' | 'route'>[];
  /** What BIRD's routes to them go by, as the kernel has them: BIRD changes them in its own time. */
  readonly birds: readonly WayKind[];
  /** Something is sent encrypted. */
  readonly encrypts: boolean;
}

/**
 * What the node may say once the kernel is as this state has it. A kind that is not asked for is taken as long as somebody
 * sends by it; until all have said that they do not, somebody may not have heard of the change.
 */
export function waysToSay(
  nodes: Snapshot['nodes'],
  self: ClusterNode,
  { asked, peers, birds, encrypts }: Reached,
): SaidWays {
  const own = peers.filter(({ route }) => route !== 'bird').map(({ way }) => way.kind);
  const used = new Set<WayKind>([...own, ...birds, ...(encrypts ? (['wireguard'] as const) : [])]);
  const theirs = new Set(nodes.filter(({ name }) => name !== self.name).flatMap(({ ways }) => ways?.sends ?? []));
  const kept = (self.ways?.accepts ?? []).filter((kind) => used.has(kind) || theirs.has(kind));
  return { accepts: inOrder(new Set([...asked, ...kept])), sends: inOrder(new Set([...asked, ...used])) };
}

/** Kinds that BIRD's routes to peers go by now, where they win over the agent's; `device` is the tunnel's. */
export function birdsKinds(
  peers: readonly Pick<PeerNetwork, 'network' | 'route'>[],
  { told }: Pick<Underlay, 'told'>,
  device: string,
): WayKind[] {
  const leading = peers.filter(({ network, route }) => route !== 'agent' && told?.bird.has(network));
  return [...new Set(leading.map(({ network }) => (told?.bird.get(network) === device ? 'ipip' : 'direct')))];
}

/**
 * Whose route leads to a network, by who is to lead there and what the kernel has: the one lets go of it only when the
 * other's is there. One of BIRD's that goes in or out of the tunnel `device` as it no longer should is about to go: BIRD has
 * not come to that yet.
 */
export function routeOf(
  { network, way }: Pick<PeerNetwork, 'network' | 'way'>,
  leads: 'agent' | 'bird',
  { told }: Pick<Underlay, 'told'>,
  device: string,
): PeerNetwork['route'] {
  const birds = told?.bird.has(network) === true;
  if (leads === 'agent') return birds ? 'beside' : 'agent';
  const right = birds && (told.bird.get(network) === device) === (way.kind === 'ipip');
  return !right && told?.own.has(network) === true ? 'beside' : 'bird';
}
