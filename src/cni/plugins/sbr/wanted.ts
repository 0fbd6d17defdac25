/** Which table, which rules, which routes. */

import { familyOf, parseAddr } from '#net/addr.ts';
import { addrOf, contains, hostPrefix, networkOf, parsePrefix, prefixFamily, prefixOf } from '#net/prefix.ts';
import type { CniIp } from '#wire/cni/result.ts';
import { PROTO_BOOT, type Route, type Rule, TABLE_MAIN } from '#wire/netlink/values.ts';

/** As the reference plugin counts. */
const FIRST_TABLE = 100;
/** The rule of the table `main`. */
const MAIN_PRIORITY = 32766;
const DEFAULT = { 4: prefixOf(parseAddr('0.0.0.0'), 0), 6: prefixOf(parseAddr('::'), 0) } as const;
const LINK_LOCAL = parsePrefix('fe80::/64');

/** The first from 100 on that no rule names and no route is in. */
export function freeTable(rules: readonly Rule[], routes: readonly Route[]): number {
  const used = new Set([...rules, ...routes].map(({ table }) => table));
  let table = FIRST_TABLE;
  while (used.has(table)) table++;
  return table;
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

/** The same in the other table, those on the link first; and a default route by each gateway, which an earlier plugin may have left out. */
export function movedRoutes(old: readonly Route[], ifname: string, ips: readonly CniIp[], table: number): Route[] {
  const moved = old.map((route): Route => ({ ...route, table }));
  const defaults = ips.flatMap((ip) => {
    const route = defaultRoute(ip, ifname, table);
    return !route || moved.some(({ to }) => to === route.to) ? [] : [route];
  });
  const onLink = (route: Route) => route.hops.every(({ via }) => via === undefined);
  return [...moved.filter(onLink), ...moved.filter((route) => !onLink(route)), ...defaults];
}

function defaultRoute({ address, gateway }: CniIp, link: string, table: number): Route | undefined {
  if (gateway === undefined) return undefined;
  // It may stand outside of the network, as 169.254.1.1 does.
  const onlink = !contains(networkOf(address), gateway);
  const hops = [{ via: gateway, link, ...(onlink && { onlink }) }];
  return { to: DEFAULT[familyOf(gateway)], type: 'unicast', table, protocol: PROTO_BOOT, scope: 'global', hops };
}
