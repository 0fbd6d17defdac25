/** `show route … all`: a network (code 1007) with its ways, then what is known of each (1008, 1012). */

import { type Addr, readAddr } from '#net/addr.ts';
import { type Prefix, readPrefix } from '#net/prefix.ts';
import type { Reply } from '#wire/bird/reply.ts';

export interface BirdRoute {
  readonly net: Prefix;
  /** BIRD's table: `master4`. */
  readonly table: string;
  /** `unicast`, `blackhole`, `unreachable`, … */
  readonly dest: string;
  /** Name of the protocol that brought it. */
  readonly proto: string;
  readonly since: string;
  /** Chosen among the ways to this network. */
  readonly chosen: boolean;
  /** The kernel did not take it. */
  readonly refused: boolean;
  readonly preference: number;
  /** Distance to the BGP next hop by the routing table; absent: none is reckoned with, or no way leads there. */
  readonly igpMetric?: number;
  /** No way leads to its BGP next hop. */
  readonly unresolved: boolean;
  readonly hops: readonly RouteHop[];
  /** `BGP`, `static`, `device`; empty when asked without `all`. */
  readonly source: string;
  /** Attributes by BIRD's names: `BGP.as_path`. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface RouteHop {
  readonly via?: Addr;
  readonly ifname: string;
  readonly onlink: boolean;
}

interface Draft extends Omit<BirdRoute, 'hops' | 'source' | 'attributes'> {
  readonly hops: RouteHop[];
  readonly attributes: Record<string, string>;
  source: string;
}

const NET = 1007;
const TYPE = 1008;
const ATTRIBUTE = 1012;

/** In BIRD's order. @throws SyntaxError if a route cannot be read. */
export function readRoutes(reply: Reply): BirdRoute[] {
  const found: Draft[] = [];
  let table = '';
  let net: Prefix | undefined;
  for (const { code, text } of reply.lines) {
    const last = found.at(-1);
    const heading = /^Table (\S+):$/.exec(text)?.[1];
    if (heading !== undefined) table = heading;
    else if (code === NET && /^\t/.test(text)) last?.hops.push(...hopsFrom(text));
    else if (code === NET && text.trim() !== '') {
      const route = routeFrom(text, table, net);
      net = route.net;
      found.push(route);
    } else if (code === TYPE && last) last.source = /Type:\s+(\S+)/.exec(text)?.[1] ?? '';
    else if (code === ATTRIBUTE && last) Object.assign(last.attributes, attributeFrom(text));
  }
  return found;
}

/** `10.244.2.0/26   unicast [Mesh_1 2026-11-29 03:00:23] * (100/20) [i]`; a further way to the network leaves it out. */
const ROUTE = /^(\S*)\s+(\S+) \[(\S+) ([^\]]*?)(?: from \S+)?\] ([*!]?)\s*\((\d+)(?:[^)/]*\/)?([^)]*)\)/;

function routeFrom(text: string, table: string, before: Prefix | undefined): Draft {
  const [, where, dest, proto, since, mark, preference, metric = ''] = ROUTE.exec(text) ?? [];
  const net = where === '' ? before : readPrefix(where ?? '');
  if (net === undefined || dest === undefined || proto === undefined) {
    throw new SyntaxError(`Cannot read BIRD’s route "${text.slice(0, 120)}"`);
  }
  return {
    net,
    table,
    dest,
    proto,
    since: since ?? '',
    chosen: mark !== '',
    refused: mark === '!',
    preference: Number(preference),
    ...(/^\d+$/.test(metric) ? { igpMetric: Number(metric) } : {}),
    unresolved: metric === '-',
    hops: [],
    source: '',
    attributes: {},
  };
}

/** `via 192.168.1.102 on eth0 onlink weight 1`, or `dev eth0`. */
function hopsFrom(text: string): RouteHop[] {
  const [, via, on, dev, flags] = /^\s*(?:via (\S+) on (\S+)|dev (\S+))(.*)$/.exec(text) ?? [];
  const ifname = on ?? dev;
  if (ifname === undefined) return [];
  const addr = readAddr(via ?? '');
  return [{ ...(addr === undefined ? {} : { via: addr }), ifname, onlink: / onlink\b/.test(flags ?? '') }];
}

function attributeFrom(text: string): Record<string, string> {
  const [, key, value] = /^\s*([\w.]+):\s*(.*)$/.exec(text) ?? [];
  return key === undefined ? {} : { [key]: (value ?? '').trim() };
}

/** AS numbers of `BGP.as_path`, those of sets too. */
export function asPathOf(route: BirdRoute): number[] {
  return (route.attributes['BGP.as_path'] ?? '').match(/\d+/g)?.map(Number) ?? [];
}
