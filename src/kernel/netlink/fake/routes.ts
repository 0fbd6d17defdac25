/** Addresses and routes of the fake: the tables that follow from addresses (`local`, IPv6's own routes) it leaves out. */

import { type FakeState, needLink, Refused, same } from '#kernel/netlink/fake/state.ts';
import { type Addr, familyOf } from '#net/addr.ts';
import { addrOf, contains, lengthOf, networkOf, prefixFamily } from '#net/prefix.ts';
import { type Address, type NextHop, PROTO_KERNEL, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

/** @throws Refused ENODEV, EEXIST */
export function addAddress(state: FakeState, address: Address, replace: boolean): void {
  const link = needLink(state, address.link);
  const present = state.addresses.some((a) => a.link === address.link && a.address === address.address);
  if (present && !replace) throw new Refused('EEXIST');
  state.addresses = state.addresses.filter((a) => a.link !== address.link || a.address !== address.address);
  state.addresses.push({ ...address, flags: (address.flags ?? 0) | IFA_F_PERMANENT });
  if (link.up && !present) addConnected(state, address);
}

const IFA_F_PERMANENT = 0x80;

/** @throws Refused ENODEV, EADDRNOTAVAIL */
export function deleteAddress(state: FakeState, address: Address): void {
  needLink(state, address.link);
  const left = state.addresses.filter((a) => a.link !== address.link || a.address !== address.address);
  if (left.length === state.addresses.length) throw new Refused('EADDRNOTAVAIL');
  state.addresses = left;
  const source = addrOf(address.address);
  const still = left.some((a) => addrOf(a.address) === source);
  // With the last holder of an address go the routes that send from it.
  state.routes = state.routes.filter((route) => still || route.source !== source);
}

/** The route to the network that an address stands in. */
function addConnected(state: FakeState, { link, address }: Address): void {
  if (prefixFamily(address) !== 4 || lengthOf(address) === 32) return;
  const route = {
    to: networkOf(address),
    type: 'unicast',
    table: TABLE_MAIN,
    protocol: PROTO_KERNEL,
    scope: 'link',
    source: addrOf(address),
    hops: [{ link }],
  } as const;
  if (!state.routes.some((r) => same(r, route))) state.routes.push(route);
}

/** What an interface that comes up brings back. */
export function linkUp(state: FakeState, name: string): void {
  for (const address of state.addresses) if (address.link === name) addConnected(state, address);
}

/** An interface that goes down takes its routes along; of a route over several it takes its part, which is not told here. */
export function forgetLinkRoutes(state: FakeState, name: string): void {
  state.routes = state.routes.filter((route) => route.hops.length !== 1 || route.hops[0]?.link !== name);
}

/** Everything that names the interface. */
export function flushLink(state: FakeState, name: string): void {
  const others = <T extends { readonly link: string }>(entries: readonly T[]) =>
    entries.filter((entry) => entry.link !== name);
  state.addresses = others(state.addresses);
  state.neighbours = others(state.neighbours);
  state.fdb = others(state.fdb);
  state.qdiscs = others(state.qdiscs);
  state.classes = others(state.classes);
  state.filters = others(state.filters);
  state.routes = state.routes.filter((route) => !route.hops.some((hop) => hop.link === name));
}

/** @throws Refused ENODEV, ENETDOWN, ENETUNREACH, EINVAL, EEXIST */
export function addRoute(state: FakeState, wanted: Route, verb: 'add' | 'replace' | 'append'): void {
  const route = normal({ ...wanted, hops: wanted.hops.map((hop) => resolveHop(state, wanted, hop)) });
  if (route.source !== undefined && !state.addresses.some((a) => addrOf(a.address) === route.source))
    throw new Refused('EINVAL', 'Invalid source address');
  const place = state.routes.findIndex((r) => samePlace(r, route));
  if (place >= 0 && verb === 'add') throw new Refused('EEXIST');
  if (verb === 'append' && state.routes.some((r) => same(r, route))) throw new Refused('EEXIST');
  if (place >= 0 && verb === 'replace') state.routes[place] = route;
  else state.routes.push(route);
}

/** Destination, table and metric make the place; IPv6 routes without a metric get 1024. */
function samePlace(a: Route, b: Route): boolean {
  return a.to === b.to && a.table === b.table && (a.metric ?? 0) === (b.metric ?? 0);
}

function normal(route: Route): Route {
  const { metric, ...rest } = route;
  if (prefixFamily(route.to) === 6) return { ...rest, scope: 'global', metric: metric || 1024 };
  return metric ? route : rest;
}

function resolveHop(state: FakeState, route: Route, hop: NextHop): NextHop {
  if (hop.via === undefined) return upHop(state, hop);
  if (route.scope !== 'global' && route.scope !== 'site') throw new Refused('EINVAL', 'Nexthop has invalid scope');
  if (hop.onlink) return upHop(state, hop);
  const link = linkTowards(state, hop.via, hop.link);
  if (link === undefined) {
    upHop(state, hop);
    throw new Refused('ENETUNREACH', 'Nexthop has invalid gateway');
  }
  return { ...hop, link };
}

function upHop(state: FakeState, hop: NextHop): NextHop {
  if (hop.link !== undefined && !needLink(state, hop.link).up)
    throw new Refused('ENETDOWN', 'Device for nexthop is not up');
  return hop;
}

/** The interface on whose own network the gateway is. */
function linkTowards(state: FakeState, via: Addr, link: string | undefined): string | undefined {
  const direct = state.routes.filter(
    ({ to, hops: [hop, ...more] }) =>
      prefixFamily(to) === familyOf(via) &&
      contains(to, via) &&
      hop !== undefined &&
      hop.via === undefined &&
      more.length === 0,
  );
  return direct.flatMap(({ hops: [hop] }) => hop?.link ?? []).find((name) => link === undefined || name === link);
}

/** Matches what is said: place, type, protocol, next hops. @throws Refused ENODEV, ESRCH */
export function deleteRoute(state: FakeState, wanted: Route): void {
  for (const hop of wanted.hops) if (hop.link !== undefined) needLink(state, hop.link);
  const route = normal(wanted);
  const place = state.routes.findIndex(
    (r) =>
      samePlace(r, route) && r.type === route.type && r.protocol === route.protocol && hopsMatch(r.hops, route.hops),
  );
  if (place < 0) throw new Refused('ESRCH');
  state.routes.splice(place, 1);
}

function hopsMatch(have: readonly NextHop[], said: readonly NextHop[]): boolean {
  if (said.length === 0) return true;
  return (
    have.length === said.length &&
    said.every((hop, i) => {
      const own = have[i];
      return (hop.link === undefined || own?.link === hop.link) && (hop.via === undefined || own?.via === hop.via);
    })
  );
}
