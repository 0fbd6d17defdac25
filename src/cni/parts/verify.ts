/** What CHECK finds: differences between what the result said and what the kernel has, each a few words. */

import { routesOn } from '#cni/parts/configure.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { PolderError } from '#spec/errors.ts';
import type { CniInterface, CniResult } from '#wire/cni/result.ts';
import type { Address, Link, Route } from '#wire/netlink/values.ts';

/** @throws PolderError cni-config: CHECK compares with it. */
export function needPrevResult({ conf }: PluginCall): CniResult {
  if (conf.prevResult) return conf.prevResult;
  throw new PolderError('cni-config', { what: `prevResult is missing: ${conf.type} needs the result of ADD` });
}

/** @throws PolderError cni-check if there is any. */
export function refuseDifferences({ request }: PluginCall, differences: readonly string[]): void {
  if (differences.length === 0) return;
  throw new PolderError('cni-check', { container: request.containerId, what: differences.join('; ') });
}

/** The pod's interface: there, up, of the kind, with hardware address, MTU, addresses and routes of the result. */
export function podDifferences(pod: PodNetns, ifname: string, result: CniResult, kind?: string): string[] {
  const link = pod.netlink.link(ifname);
  if (!link) return [`${ifname} is missing in ${pod.path}`];
  const index = result.interfaces.findIndex((i) => i.name === ifname && i.sandbox !== undefined);
  const said = result.interfaces[index];
  if (!said) return [`prevResult has no interface ${ifname}`];
  const ips = result.ips.filter((ip) => ip.interface === undefined || ip.interface === index);
  return [
    ...linkDifferences(link, said, kind),
    ...missingAddresses(
      ips.map(({ address }) => address),
      pod.netlink.addresses(),
      ifname,
    ),
    ...(ips.length > 0 ? missingRoutes(ownRoutes(ifname, result, ips), pod.netlink.routes()) : []),
  ];
}

/** Another attachment of the pod may have put routes into the same result: those by gateways that are not ours are its own. */
function ownRoutes(ifname: string, result: CniResult, ips: CniResult['ips']): Route[] {
  const single = new Set(result.ips.map((ip) => ip.interface)).size <= 1;
  const routes = single
    ? result.routes
    : result.routes.filter(({ gw }) => gw === undefined || ips.some(({ gateway }) => gateway === gw));
  return routesOn(ifname, ips, routes);
}

export function linkDifferences(link: Link, said: CniInterface, kind?: string): string[] {
  const { name } = link;
  const found = link.up ? [] : [`${name} is down`];
  if (kind !== undefined && kindOf(link) !== kind) found.push(`${name} is no ${kind}`);
  if (said.mac && link.mac !== said.mac.toLowerCase()) found.push(`${name} has MAC ${link.mac}, not ${said.mac}`);
  if (said.mtu !== undefined && link.mtu !== said.mtu) found.push(`${name} has MTU ${link.mtu}, not ${said.mtu}`);
  return found;
}

export function kindOf({ info }: Link): string {
  return info.kind === 'other' ? info.name : info.kind;
}

export function missingAddresses(wanted: readonly string[], have: readonly Address[], link: string): string[] {
  const there = new Set<string>(have.filter((a) => a.link === link).map(({ address }) => address));
  return wanted.filter((address) => !there.has(address)).map((address) => `address ${address} on ${link} is missing`);
}

/** Two IPv6 routes to one destination are one with two ways, by the kernel. What a route does not say may be anything. */
export function missingRoutes(wanted: readonly Route[], have: readonly Route[]): string[] {
  const there = Map.groupBy(have.flatMap(eachWay), routeText);
  const found = (route: Route) => there.get(routeText(route))?.some((other) => hasValues(other, route)) ?? false;
  return wanted.filter((route) => !found(route)).map((route) => `route ${routeText(route)}${values(route)} is missing`);
}

function eachWay(route: Route): Route[] {
  return route.hops.length < 2 ? [route] : route.hops.map((hop) => ({ ...route, hops: [hop] }));
}

const VALUES = ['metric', 'mtu', 'advmss'] as const;

function hasValues(have: Route, wanted: Route): boolean {
  return VALUES.every((key) => wanted[key] === undefined || wanted[key] === have[key]);
}

function values(route: Route): string {
  return VALUES.map((key) => (route[key] === undefined ? '' : ` ${key} ${route[key]}`)).join('');
}

/** What makes a route the one that was meant. */
export function routeText({ to, table, hops }: Route): string {
  const ways = hops.map((hop) => `${hop.via ? ` via ${hop.via}` : ''}${hop.link ? ` dev ${hop.link}` : ''}`);
  return `${to}${ways.join(',')}${table === 254 ? '' : ` table ${table}`}`;
}

/** The veth's end here that belongs to the pod's interface. */
export function peerOf(host: Netlink, inside: Link): Link | undefined {
  return host.links().find(({ index, parent }) => index === inside.parent && parent === inside.index);
}
