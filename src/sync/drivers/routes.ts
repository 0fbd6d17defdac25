/** Routes: ours bear our own protocol number; of the others only those matter that have a wanted route's place. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { ROUTE } from '#plan/kinds.ts';
import { WIREGUARD_TABLE } from '#plan/objects.ts';
import { PROTO_POLDER, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

export function ownsRoute({ protocol, table }: Route): boolean {
  return protocol === PROTO_POLDER && (table === TABLE_MAIN || table === WIREGUARD_TABLE);
}

export function readRoutes(
  netlink: Netlink,
  wanted: readonly Route[],
): { readonly routes: readonly Route[]; readonly foreignRoutes: readonly Route[] } {
  const places = new Set(wanted.map(ROUTE.key));
  const all = [TABLE_MAIN, WIREGUARD_TABLE].flatMap((table) => netlink.routes({ table }));
  const foreignRoutes = all.filter((route) => !ownsRoute(route) && places.has(ROUTE.key(route)));
  return { routes: all.filter(ownsRoute), foreignRoutes };
}
