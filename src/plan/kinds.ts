/** What makes two of the kernel's objects the same, kind by kind. */

import type { Kind } from '#plan/changes.ts';
import type { Sysctl } from '#plan/objects.ts';
import type { Address, FdbEntry, LinkInfo, Neighbour, Route, Rule } from '#wire/netlink/values.ts';

export const ADDRESS: Kind<Address> = {
  key: ({ link, address }) => `${link} ${address}`,
  value: () => '',
};

export const NEIGHBOUR: Kind<Neighbour> = {
  key: ({ link, addr }) => `${link} ${addr}`,
  value: ({ mac, state }) => JSON.stringify([mac ?? '', state]),
};

/** VXLAN entries of unicast addresses: the kernel holds one remote for each. */
export const FDB: Kind<FdbEntry> = {
  key: ({ link, mac }) => `${link} ${mac}`,
  value: ({ dst, state }) => JSON.stringify([dst ?? '', state]),
};

/** Two routes of one key cannot both be found by a lookup. A blackhole has no next hop, whatever the kernel lists. */
export const ROUTE: Kind<Route> = {
  key: ({ table, to, metric }) => `${table} ${to} ${metric ?? 0}`,
  value: (route) => {
    const hops = route.type === 'unicast' ? route.hops : [];
    const ways = hops.map(({ via, link, onlink, weight }) => [via ?? '', link ?? '', onlink ?? false, weight ?? 1]);
    return JSON.stringify([route.type, route.scope, route.source ?? '', route.mtu ?? 0, route.advmss ?? 0, ways]);
  },
};

/** There is nothing about a rule that could be changed. */
export const RULE: Kind<Rule> = {
  key: ({ family, priority, table, invert, from, to, mark, inLink, outLink }) =>
    JSON.stringify([family, priority, table, invert ?? false, from, to, mark?.value, mark?.mask, inLink, outLink]),
  value: () => '',
};

export const SYSCTL: Kind<Sysctl> = {
  key: ({ name }) => name,
  value: ({ value }) => value,
};

/** What of an interface can be chosen only when it is made. */
export function immutable(info: LinkInfo): string {
  // Of outer headers the rest is the kernel's choice where its own tunl0 is taken.
  if (info.kind === 'ipip') return JSON.stringify([info.kind, info.local ?? '', info.remote ?? '']);
  if (info.kind !== 'vxlan') return info.kind;
  return JSON.stringify([info.kind, info.vni, info.port, info.local ?? '', info.underlay ?? '', info.learning]);
}
