/**
 * Whether a peer is told of a route, and why: BIRD's own rules in BIRD's order (bgp_preexport of proto/bgp/attrs.c of 2.0),
 * then the filter that was written for the session.
 */

import { exportFilter } from '#calc/bgp/filters.ts';
import { type BgpSession, type BgpState, isInternal } from '#calc/bgp/state.ts';
import { type Family, familyOf, readAddr } from '#net/addr.ts';
import { prefixFamily } from '#net/prefix.ts';
import { evaluate, type RouteFacts, type RouteSource, type Verdict } from '#wire/bird/filter.ts';
import type { SessionState } from '#wire/bird/show-protocols.ts';
import { asPathOf, type BirdRoute } from '#wire/bird/show-routes.ts';

/** What exports depend on beside the configuration. */
export interface LiveSession {
  readonly established: boolean;
  /** What BIRD says of it: `Active  Socket: Connection refused`. */
  readonly info: string;
  readonly addPathTx: readonly Family[];
}

/** Of a session that BIRD does not know: it has no configuration with it yet. */
export const UNKNOWN_SESSION: LiveSession = { established: false, info: 'BIRD does not know it', addPathTx: [] };

export function liveSession(bgp: SessionState | undefined, info: string): LiveSession {
  return { established: bgp?.state === 'Established', info, addPathTx: bgp?.addPathTx ?? [] };
}

/** Of a route what filters look at. */
export function factsOf(route: BirdRoute): RouteFacts {
  const [hop] = route.hops;
  const nextHop = nextHopOf(route);
  return {
    net: route.net,
    source: SOURCES[route.source] ?? 'inherit',
    proto: route.proto,
    // A blackhole's interface has an empty name.
    ifname: hop?.ifname ?? '',
    asPath: asPathOf(route),
    ...(nextHop === undefined ? {} : { nextHop }),
    unreachable: route.dest === 'unreachable',
  };
}

const SOURCES: Readonly<Record<string, RouteSource>> = { BGP: 'bgp', static: 'static', device: 'device' };

/** What of a BGP next hop of two addresses (RFC 2545) is the global one. */
function nextHopOf({ attributes }: BirdRoute): RouteFacts['nextHop'] {
  return readAddr(attributes['BGP.next_hop']?.split(' ')[0] ?? '');
}

/** Said of what BIRD counts as told, and takes back as it writes the message. */
export const LEADS_BACK = 'its next hop is the peer itself';

/** Whether the peer of this session is told of the route, and by what that is decided. */
export function exportVerdict(state: BgpState, session: BgpSession, live: LiveSession, route: BirdRoute): Verdict {
  const because = ownRule(state, session, live, route);
  if (because !== undefined) return { verdict: 'reject', because };
  const family = prefixFamily(route.net);
  const verdict = evaluate(exportFilter(state, session, family), factsOf(route));
  if (verdict.verdict === 'reject' || !leadsBack(state, session, route)) return verdict;
  return { verdict: 'reject', because: LEADS_BACK };
}

/** Why BIRD does not even ask the filter. */
function ownRule(state: BgpState, session: BgpSession, live: LiveSession, route: BirdRoute): string | undefined {
  const family = prefixFamily(route.net);
  if (familyOf(session.addr) !== family) return `the session carries IPv${familyOf(session.addr)} only`;
  if (!live.established) return `the session is not up: ${live.info}`;
  if (!route.chosen && !live.addPathTx.includes(family)) {
    return 'not the chosen way, and this peer is told of one way to a network only (no ADD-PATH)';
  }
  if (route.source !== 'BGP') return undefined;
  if (route.proto === session.name) return 'heard from this peer';
  const from = state.sessions.find(({ name }) => name === route.proto);
  return reflection(state, session, from, route) ?? wellKnown(state, session, route);
}

/** RFC 4456: what is heard within the AS is told on within it by route reflectors only. */
function reflection(
  state: BgpState,
  session: BgpSession,
  from: BgpSession | undefined,
  route: BirdRoute,
): string | undefined {
  if (!isInternal(state, session) || !from || !isInternal(state, from)) return undefined;
  // The node may be in several ASes; who is in one with it has its number.
  if (session.asNumber !== from.asNumber) return undefined;
  if (session.rrClusterId === undefined && from.rrClusterId === undefined) {
    return 'heard from within the AS, and told on within it by route reflectors only (RFC 4456)';
  }
  const clusters = (route.attributes['BGP.cluster_list'] ?? '').split(' ');
  const own = session.rrClusterId;
  return own !== undefined && clusters.includes(own) ? `it has been through cluster ${own} already` : undefined;
}

/** RFC 1997. A session outside of the AS is told of less. */
const WELL_KNOWN = [
  { community: [65_535, 65_282], name: 'no-advertise', internal: true },
  { community: [65_535, 65_283], name: 'no-export-subconfed', internal: false },
  { community: [65_535, 65_281], name: 'no-export', internal: false },
] as const;

function wellKnown(state: BgpState, session: BgpSession, { attributes }: BirdRoute): string | undefined {
  const communities = attributes['BGP.community'] ?? '';
  const internal = isInternal(state, session);
  const found = WELL_KNOWN.find(
    (each) => communities.includes(`(${each.community.join(',')})`) && (each.internal || !internal),
  );
  return found && `its community ${found.name} forbids it (RFC 1997)`;
}

/** BIRD takes back what would lead the peer to itself. */
function leadsBack(state: BgpState, session: BgpSession, route: BirdRoute): boolean {
  return keepsNextHop(state, session, route) && nextHopOf(route) === session.addr;
}

function keepsNextHop(state: BgpState, session: BgpSession, route: BirdRoute): boolean {
  if (session.nextHop === 'self') return false;
  if (isInternal(state, session) || session.nextHop === 'keep') return true;
  // Between two sessions on one subnet; others are said to be some hops away.
  const from = state.sessions.find(({ name }) => name === route.proto);
  return session.bfd && from?.bfd === true;
}
