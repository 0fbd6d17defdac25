/** Which table, which rules, which routes. */

import { type Addr, type Family, familyOf, parseAddr } from '#net/addr.ts';
import {
  addrOf,
  contains,
  hostPrefix,
  networkOf,
  type Prefix,
  parsePrefix,
  prefixFamily,
  prefixOf,
} from '#net/prefix.ts';
import type { CniIp } from '#wire/cni/result.ts';
import { PROTO_BOOT, type Route, type Rule, TABLE_MAIN } from '#wire/netlink/values.ts';

/** As the reference plugin counts. */
const FIRST_TABLE = 100;
/** The rule of the table `main`. */
const MAIN_PRIORITY = 32766;
const DEFAULT = { 4: prefixOf(parseAddr('0.0.0.0'), 0), 6: prefixOf(parseAddr('::'), 0) } as const;
const LINK_LOCAL = parsePrefix('fe80::/64');

/** Addresses of one family with one way out, and the table that is theirs. */
export interface Way {
  readonly family: Family;
  readonly gateway?: Addr;
  readonly ips: readonly CniIp[];
  readonly table: number;
}

/** A way for each gateway, the first of either family in the first table, and so on; a family without one has one, too. */
export function waysOf(ips: readonly CniIp[], rules: readonly Rule[], routes: readonly Route[]): Way[] {
  const groups = ([4, 6] as const).map((family) => groupsOf(ips, family));
  const tables = freeTables(rules, routes, Math.max(...groups.map(({ length }) => length)));
  return groups.flatMap((ways) => ways.flatMap((way, i) => tables.slice(i, i + 1).map((table) => ({ ...way, table }))));
}

function groupsOf(all: readonly CniIp[], family: Family): Omit<Way, 'table'>[] {
  const ips = all.filter(({ address }) => prefixFamily(address) === family);
  const gateways = [...new Set(ips.flatMap(({ gateway }) => gateway ?? []))];
  if (gateways.length === 0) return [{ family, ips }];
  return gateways.map((gateway) => ({ family, gateway, ips: ips.filter((ip) => gatewayOf(ip, gateways) === gateway) }));
}

/** An address that names none goes by the first that it reaches, else by the first. */
function gatewayOf({ address, gateway }: CniIp, gateways: readonly Addr[]): Addr | undefined {
  return gateway ?? gateways.find((one) => contains(networkOf(address), one)) ?? gateways[0];
}

/** The first from 100 on that no rule names and no route is in. */
function freeTables(rules: readonly Rule[], routes: readonly Route[], count: number): number[] {
  const used = new Set([...rules, ...routes].map(({ table }) => table));
  const free: number[] = [];
  for (let table = FIRST_TABLE; free.length < count; table++) if (!used.has(table)) free.push(table);
  return free;
}

/** One before the first of the family, as the kernel itself chooses for a rule without one. */
export function rulePriority(rules: readonly Rule[], { address }: CniIp): number {
  const family = prefixFamily(address);
  const taken = rules.filter((rule) => rule.family === family && rule.priority > 0).map(({ priority }) => priority);
  return Math.max(1, Math.min(MAIN_PRIORITY, ...taken) - 1);
}

export function sourceRule({ address }: CniIp, table: number, priority: number): Rule {
  return { family: prefixFamily(address), priority, table, from: hostPrefix(addrOf(address)) };
}

/** Routes of the main table by the interface; its link-local network serves the link itself and stays. */
export function routesOf(routes: readonly Route[], ifname: string): Route[] {
  return routes.filter(
    ({ table, hops, to, type }) =>
      table === TABLE_MAIN && type === 'unicast' && to !== LINK_LOCAL && hops.length === 1 && hops[0]?.link === ifname,
  );
}

/** The same in the ways' tables, those on the link first; and a default route by each gateway, which an earlier plugin may have left out. */
export function movedRoutes(old: readonly Route[], ifname: string, ways: readonly Way[]): Route[] {
  return ways.flatMap((way) => {
    const moved = old.filter((route) => takersOf(route, ways).includes(way));
    const fresh = moved.map((route): Route => ({ ...route, table: way.table }));
    const onLink = (route: Route) => route.hops.every(({ via }) => via === undefined);
    const lacking = defaultRoutes(way, ifname).filter(({ to }) => !fresh.some((route) => route.to === to));
    return [...fresh.filter(onLink), ...fresh.filter((route) => !onLink(route)), ...lacking];
  });
}

/** Whose gateway or network it says; else those that have its gateway or source in reach; else all: no route is lost. */
function takersOf(route: Route, all: readonly Way[]): Way[] {
  const ways = all.filter(({ family }) => family === prefixFamily(route.to));
  const via = route.hops[0]?.via;
  const meant = ways.filter((way) => (via === undefined ? isOn(way, route.to) : way.gateway === via));
  if (meant.length > 0) return meant;
  const addr = via ?? route.source;
  const near = ways.filter(({ ips }) => ips.some(({ address }) => addr && contains(networkOf(address), addr)));
  return near.length > 0 ? near : ways;
}

function isOn({ ips }: Way, network: Prefix): boolean {
  return ips.some(({ address }) => networkOf(address) === network);
}

function defaultRoutes({ gateway, ips, table }: Way, link: string): Route[] {
  if (gateway === undefined) return [];
  // It may stand outside of the network, as 169.254.1.1 does.
  const onlink = !ips.some(({ address }) => contains(networkOf(address), gateway));
  const hops = [{ via: gateway, link, ...(onlink && { onlink }) }];
  return [{ to: DEFAULT[familyOf(gateway)], type: 'unicast', table, protocol: PROTO_BOOT, scope: 'global', hops }];
}
