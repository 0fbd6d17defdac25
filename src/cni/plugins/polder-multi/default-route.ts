/** `default-route` of a selection: the pod's way out is by that network, and by no other. */

import { run } from '#cni/parts/run.ts';
import type { PodNetns } from '#cni/plugin.ts';
import { type Addr, type Family, familyOf } from '#net/addr.ts';
import { lengthOf, parsePrefix, prefixFamily } from '#net/prefix.ts';
import type { CniResult } from '#wire/cni/result.ts';
import { PROTO_BOOT, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

const EVERYWHERE = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') } as const;

/** Replaces the pod's default routes of the gateways' families. @throws PolderError kernel-refused */
export function moveDefaultRoute(pod: PodNetns, ifname: string, gateways: readonly Addr[]): void {
  for (const family of [4, 6] as const) {
    const own = gateways.filter((gateway) => familyOf(gateway) === family);
    if (own.length === 0) continue;
    const before = pod.netlink.routes({ table: TABLE_MAIN }).filter((route) => isDefault(route, family));
    run(
      pod.netlink,
      before.map((route) => ({ op: 'route.del', route }) as const),
      'ESRCH',
    );
    run(pod.netlink, [{ op: 'route.replace', route: routeBy(ifname, own, family) }]);
  }
}

function isDefault({ to }: Route, family: Family): boolean {
  return lengthOf(to) === 0 && prefixFamily(to) === family;
}

function routeBy(link: string, gateways: readonly Addr[], family: Family): Route {
  return {
    to: EVERYWHERE[family],
    type: 'unicast',
    table: TABLE_MAIN,
    protocol: PROTO_BOOT,
    scope: 'global',
    hops: gateways.map((via) => ({ via, link })),
  };
}

/** The default network's result, without the routes that it no longer has. */
export function withoutDefaultRoute(result: CniResult, gateways: readonly Addr[]): CniResult {
  const families = new Set(gateways.map(familyOf));
  const routes = result.routes.filter(({ dst }) => lengthOf(dst) > 0 || !families.has(prefixFamily(dst)));
  return { ...result, routes };
}
