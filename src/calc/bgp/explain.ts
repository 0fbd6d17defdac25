/** Why BIRD does with a network what it does: which way is chosen, what of it the kernel has, who is told of it. */

import { type Way, whyBehind } from '#calc/bgp/best-way.ts';
import {
  exportVerdict,
  factsOf,
  LEADS_BACK,
  type LiveSession,
  liveSession,
  UNKNOWN_SESSION,
} from '#calc/bgp/export-reason.ts';
import { importFilter, kernelFilter, ownProtocol, reachProtocol } from '#calc/bgp/filters.ts';
import type { BgpSession, BgpState, PeerType } from '#calc/bgp/state.ts';
import type { Addr } from '#net/addr.ts';
import { type Prefix, prefixFamily } from '#net/prefix.ts';
import { evaluate } from '#wire/bird/filter.ts';
import type { ProtocolState } from '#wire/bird/show-protocols.ts';
import type { BirdRoute, RouteHop } from '#wire/bird/show-routes.ts';

/** What BIRD says of one network. */
export interface NetworkFacts {
  readonly net: Prefix;
  /** Every way to it, as BIRD lists them. */
  readonly routes: readonly BirdRoute[];
  /** Those that a session's import filter rejects. */
  readonly filtered: readonly BirdRoute[];
  /** By session, the protocols of the ways that its peer has been told of. */
  readonly exported: ReadonlyMap<string, readonly BirdRoute[]>;
  readonly protocols: readonly ProtocolState[];
}

export interface PeerAnswer {
  readonly peer: Addr;
  readonly type: PeerType;
  readonly session: string;
  /** As BIRD has done it. */
  readonly told: boolean;
  readonly because: string;
}

export interface WayAnswer {
  /** BIRD's protocol that brought it: `own4`, `Mesh_192_168_1_102`. */
  readonly proto: string;
  /** In words: `this node`, `node-to-node mesh: node node2`. */
  readonly origin: string;
  /** The peer that told it. */
  readonly from?: Addr;
  /** `unicast`, `blackhole`, … */
  readonly dest: string;
  readonly hops: readonly RouteHop[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly state: 'chosen' | 'not chosen' | 'rejected';
  readonly because: string;
  readonly kernel: { readonly put: boolean; readonly because: string };
  readonly peers: readonly PeerAnswer[];
}

export interface NetworkAnswer {
  readonly net: Prefix;
  readonly ways: readonly WayAnswer[];
}

/** The same values that BIRD's configuration is written from, applied to what BIRD has heard. */
export function explainNetwork(state: BgpState, facts: NetworkFacts): NetworkAnswer {
  const ways = facts.routes.map((route) => wayOf(state, facts, route));
  return {
    net: facts.net,
    ways: [
      ...ways.map((way) => explainWay(state, facts, way, ways)),
      ...facts.filtered.map((route) => rejectedWay(state, route)),
    ],
  };
}

function wayOf({ sessions }: BgpState, { protocols }: NetworkFacts, route: BirdRoute): Way {
  const session = sessions.find(({ name }) => name === route.proto);
  const neighborId = protocols.find(({ name }) => name === route.proto)?.bgp?.neighborId;
  return { route, ...(session === undefined ? {} : { session }), ...(neighborId === undefined ? {} : { neighborId }) };
}

function explainWay(state: BgpState, facts: NetworkFacts, way: Way, all: readonly Way[]): WayAnswer {
  const { route } = way;
  return {
    ...aboutRoute(state, route),
    state: route.chosen ? 'chosen' : 'not chosen',
    because: choice(state, way, all),
    kernel: kernelAnswer(state, route),
    peers: state.sessions.map((session) => peerAnswer(state, facts, session, route)),
  };
}

function aboutRoute(state: BgpState, route: BirdRoute) {
  const { proto, dest, hops, attributes } = route;
  const session = state.sessions.find(({ name }) => name === proto);
  const from = session === undefined ? {} : { from: session.addr };
  return { proto, origin: originOf(state, proto, session), ...from, dest, hops, attributes };
}

function originOf(state: BgpState, proto: string, session: BgpSession | undefined): string {
  if (session) return `${session.type}: ${session.origin}`;
  const own: Readonly<Record<string, string>> = {
    [ownProtocol(4)]: 'this node',
    [ownProtocol(6)]: 'this node',
    [reachProtocol(4)]: 'the way to a peer (reachableBy)',
    [reachProtocol(6)]: 'the way to a peer (reachableBy)',
    direct1: `an interface of ${state.node}`,
    kernel4: 'the kernel',
    kernel6: 'the kernel',
  };
  return own[proto] ?? proto;
}

function choice(state: BgpState, way: Way, all: readonly Way[]): string {
  const others = all.filter((each) => each !== way);
  if (way.route.chosen) return others.length === 0 ? 'the only way' : firstReason(state, others, way);
  const winner = others.find(({ route }) => route.chosen);
  if (!winner) return 'BIRD chooses none';
  return whyBehind(state, way, winner) ?? `BIRD keeps ${winner.route.proto}, which it had first`;
}

/** What puts the best of the others behind. */
function firstReason(state: BgpState, others: readonly Way[], winner: Way): string {
  const best = others.toSorted((a, b) => (whyBehind(state, a, b) === undefined ? -1 : 1))[0];
  const because = best && whyBehind(state, best, winner);
  return because === undefined ? 'it was there first' : `of the next best, ${best?.route.proto}, ${because}`;
}

function kernelAnswer(state: BgpState, route: BirdRoute): WayAnswer['kernel'] {
  if (!route.chosen) return { put: false, because: 'not chosen' };
  const { verdict, because } = evaluate(kernelFilter(state, prefixFamily(route.net)), factsOf(route));
  if (verdict === 'accept' && route.refused) {
    return { put: false, because: 'the kernel refused it, or has a route of somebody else to that network' };
  }
  return { put: verdict === 'accept', because };
}

function peerAnswer(state: BgpState, facts: NetworkFacts, session: BgpSession, route: BirdRoute): PeerAnswer {
  const told = (facts.exported.get(session.name) ?? []).some((each) => sameWay(each, route));
  const { verdict, because } = exportVerdict(state, session, liveOf(facts, session), route);
  const about = { peer: session.addr, type: session.type, session: session.name };

  if (verdict === (told ? 'accept' : 'reject') || because === LEADS_BACK) {
    return { ...about, told: verdict === 'accept', because };
  }
  return { ...about, told, because: `BIRD has not done yet what its configuration says: ${verdict}, ${because}` };
}

function liveOf({ protocols }: NetworkFacts, { name }: BgpSession): LiveSession {
  const found = protocols.find((protocol) => protocol.name === name);
  return found ? liveSession(found.bgp, found.info || found.state) : UNKNOWN_SESSION;
}

/** One session may bring several ways (ADD-PATH). */
function sameWay(a: BirdRoute, b: BirdRoute): boolean {
  const key = ({ proto, hops, attributes }: BirdRoute) =>
    JSON.stringify([proto, hops, Object.entries(attributes).sort()]);
  return key(a) === key(b);
}

function rejectedWay(state: BgpState, route: BirdRoute): WayAnswer {
  const session = state.sessions.find(({ name }) => name === route.proto);
  const { because } = session
    ? evaluate(importFilter(state, session, prefixFamily(route.net)), factsOf(route))
    : { because: 'its filter does not take it' };
  const kernel = { put: false, because: 'rejected' };
  return { ...aboutRoute(state, route), state: 'rejected', because, kernel, peers: [] };
}
