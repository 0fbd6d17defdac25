/** Filters as values: printed into the configuration, and evaluated here to say which statement decides and why. */

import type { Addr } from '#net/addr.ts';
import { addrOf, contains, containsPrefix, lengthOf, type Prefix, prefixFamily } from '#net/prefix.ts';

export interface Filter {
  /** A symbol: letters, digits and `_`. */
  readonly name: string;
  /** A route that comes to the end is rejected. */
  readonly body: readonly Statement[];
}

/** Networks inside `prefix` whose length is `min` to `max`: `10.0.0.0/8{16,24}`. */
export interface PrefixPattern {
  readonly prefix: Prefix;
  readonly min: number;
  readonly max: number;
}

/** Where a route comes from (User's Guide, `source`). */
export type RouteSource = 'static' | 'bgp' | 'device' | 'inherit';

export type Condition =
  | { readonly kind: 'net'; readonly in: readonly PrefixPattern[] }
  | { readonly kind: 'source'; readonly is: RouteSource }
  /** Name of the protocol that brought it. */
  | { readonly kind: 'proto'; readonly is: string }
  /** Interface that it leads over. */
  | { readonly kind: 'ifname'; readonly like: string }
  /** Heard by BGP from within the own AS. */
  | { readonly kind: 'internal' }
  | { readonly kind: 'next-hop'; readonly in: readonly Prefix[] }
  /** No way leads to its next hop. */
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'all'; readonly of: readonly Condition[] };

/** A community as its numbers: two (RFC 1997) or three (RFC 8092). */
export type Community = readonly [number, number] | readonly [number, number, number];

export type Statement =
  | { readonly do: 'accept' | 'reject'; readonly if?: Condition; readonly because: string }
  | { readonly do: 'add-community'; readonly if?: Condition; readonly community: Community }
  /** Leads the route over this device to its BGP next hop, reachable there whatever its networks are. */
  | { readonly do: 'tunnel'; readonly if?: Condition; readonly device: string };

/** Of a route, what conditions look at. */
export interface RouteFacts {
  readonly net: Prefix;
  readonly source: RouteSource;
  readonly proto: string;
  readonly ifname?: string;
  /** AS numbers that it has come through. */
  readonly asPath: readonly number[];
  readonly nextHop?: Addr;
  readonly unreachable?: boolean;
}

export interface Verdict {
  readonly verdict: 'accept' | 'reject';
  readonly because: string;
}

/** What the filter does with the route, and the statement that decides. */
export function evaluate(filter: Filter, route: RouteFacts): Verdict {
  for (const statement of filter.body) {
    if (statement.do === 'add-community' || (statement.if && !holds(statement.if, route))) continue;
    if (statement.do === 'tunnel') return { verdict: 'accept', because: `it goes by ${statement.device}` };
    return { verdict: statement.do, because: statement.because };
  }
  return { verdict: 'reject', because: `nothing in filter ${filter.name} accepts it` };
}

export function holds(condition: Condition, route: RouteFacts): boolean {
  switch (condition.kind) {
    case 'net':
      return condition.in.some((pattern) => fits(pattern, route.net));
    case 'source':
      return route.source === condition.is;
    case 'proto':
      return route.proto === condition.is;
    case 'ifname':
      return route.ifname !== undefined && like(condition.like, route.ifname);
    case 'internal':
      return route.source === 'bgp' && route.asPath.length === 0;
    case 'next-hop': {
      const { nextHop } = route;
      return nextHop !== undefined && condition.in.some((network) => contains(network, nextHop));
    }
    case 'unreachable':
      return route.unreachable === true;
    case 'not':
      return !holds(condition.of, route);
    case 'all':
      return condition.of.every((each) => holds(each, route));
  }
}

function fits({ prefix, min, max }: PrefixPattern, net: Prefix): boolean {
  const length = lengthOf(net);
  if (prefixFamily(prefix) !== prefixFamily(net) || length < min || length > max) return false;
  // A shorter network than the pattern's own fits if the pattern lies in it.
  return length >= lengthOf(prefix) ? containsPrefix(prefix, net) : contains(net, addrOf(prefix));
}

/** BIRD's patterns: `*` is any text, `?` one character. */
function like(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`).test(text);
}

/** The network itself, nothing inside it. */
export function exactly(prefix: Prefix): PrefixPattern {
  return { prefix, min: lengthOf(prefix), max: lengthOf(prefix) };
}

/** The network and all inside it. */
export function within(prefix: Prefix): PrefixPattern {
  return { prefix, min: lengthOf(prefix), max: prefixFamily(prefix) === 4 ? 32 : 128 };
}

/** What lies inside the network, without itself. */
export function inside(prefix: Prefix): PrefixPattern {
  return { ...within(prefix), min: lengthOf(prefix) + 1 };
}
