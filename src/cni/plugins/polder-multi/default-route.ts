/** `default-route` of a selection: the pod's way out is by that network, and by no other. */

import { run } from '#cni/parts/run.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { type Addr, type Family, familyOf } from '#net/addr.ts';
import { lengthOf, parsePrefix, prefixFamily } from '#net/prefix.ts';
import type { CniResult, CniRoute } from '#wire/cni/result.ts';
import { PROTO_BOOT, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

const EVERYWHERE = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') } as const;

/** A network of the pod with what its plugins said. */
export interface Routed {
  readonly attachment: { readonly ifname: string; readonly defaultRoute?: readonly Addr[] };
  readonly result: CniResult;
}

/**
 * Moves the pod's default routes to the networks that were asked to have them, each family by itself.
 * @returns the same networks with the routes that each has now: what CHECK compares with
 * @throws PolderError kernel-refused
 */
export function moveDefaultRoutes<T extends Routed>(call: PluginCall, networks: readonly T[]): readonly T[] {
  const asked = networks.filter(({ attachment }) => gatewaysOf(attachment).length > 0);
  if (asked.length === 0) return networks;
  using pod = call.caller.openPod(call.request.netns);
  for (const { attachment } of asked) moveDefaultRoute(pod, attachment.ifname, gatewaysOf(attachment));
  return networks.map((one) => ({ ...one, result: routesNow(one, networks) }));
}

/** All gateways that were asked for. */
export function askedGateways(networks: readonly Pick<Routed, 'attachment'>[]): Addr[] {
  return networks.flatMap(({ attachment }) => gatewaysOf(attachment));
}

function gatewaysOf({ defaultRoute = [] }: Routed['attachment']): readonly Addr[] {
  return defaultRoute;
}

function routesNow({ attachment, result }: Routed, networks: readonly Routed[]): CniResult {
  const rest = withoutDefaultRoutes(result, askedGateways(networks));
  return { ...rest, routes: [...rest.routes, ...sayable(gatewaysOf(attachment))] };
}

/** Several gateways of a family are one route of the kernel, by several hops: a result has no words for that. */
function sayable(gateways: readonly Addr[]): CniRoute[] {
  const alone = gateways.filter((one) => gateways.filter((other) => familyOf(other) === familyOf(one)).length === 1);
  return alone.map((gw) => ({ dst: EVERYWHERE[familyOf(gw)], gw }));
}

/** Replaces the pod's default routes of the gateways' families. */
function moveDefaultRoute(pod: PodNetns, ifname: string, gateways: readonly Addr[]): void {
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

/** A result without the default routes of these gateways' families, which other networks have now. */
export function withoutDefaultRoutes(result: CniResult, gateways: readonly Addr[]): CniResult {
  const families = new Set(gateways.map(familyOf));
  const gone = (route: CniRoute) => isWayOut(route) && families.has(prefixFamily(route.dst));
  return { ...result, routes: result.routes.filter((route) => !gone(route)) };
}

function isWayOut({ dst, table = TABLE_MAIN }: CniRoute): boolean {
  return lengthOf(dst) === 0 && table === TABLE_MAIN;
}

/** By whom the pod's packets leave that no other route takes, on this network. */
export function waysOut({ attachment, result: { ips, routes } }: Routed): Addr[] {
  const nextHop = ({ dst, gw }: CniRoute) =>
    gw ?? ips.find(({ gateway }) => gateway !== undefined && familyOf(gateway) === prefixFamily(dst))?.gateway;
  const said = routes.filter(isWayOut).map(nextHop);
  return [...new Set([...gatewaysOf(attachment), ...said.filter((gateway) => gateway !== undefined)])];
}
