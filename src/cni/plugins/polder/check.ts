/** CHECK: compares the attachment with the kernel, both ends, and names everything that differs. */

import { keyOf } from '#cni/ipam/record.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { needNetwork } from '#cni/plugins/polder/add.ts';
import { type Wanted, wantedOf } from '#cni/plugins/polder/wanted.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { lengthOf } from '#net/prefix.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { PolderError } from '#spec/errors.ts';
import type { CniResult } from '#wire/cni/result.ts';
import type { Address, Link, Neighbour, Route } from '#wire/netlink/values.ts';

export async function check(call: PluginCall): Promise<void> {
  const { containerId, ifname } = call.request;
  const prevResult = call.conf.prevResult;
  if (!prevResult) throw new PolderError('cni-config', { what: 'prevResult is missing: CHECK compares with it' });
  const endpoint = call.host.store.find(keyOf({ network: call.conf.name, containerId, ifname }));
  if (!endpoint)
    throw new PolderError('cni-container-unknown', { container: containerId, ifname, network: call.conf.name });
  using pod = call.caller.openPod(call.request.netns);
  const network = needNetwork(call);
  const wanted = wantedOf(endpoint, network, call.conf.mtu ?? network.mtu);
  const differences = [
    ...checkHost(call.caller.netlink, endpoint, wanted),
    ...checkPod(pod, endpoint, wanted, prevResult),
    ...checkResult(pod, endpoint, prevResult),
  ];
  if (differences.length > 0) {
    throw new PolderError('cni-check', { container: containerId, what: differences.join('; ') });
  }
}

function checkHost(host: Netlink, endpoint: LocalEndpoint, wanted: Wanted): string[] {
  const name = endpoint.hostIfname;
  const link = host.link(name);
  if (!link) return [`host interface ${name} is missing`];
  const found = linkDifferences(link, `host interface ${name}`);
  if (link.info.kind !== 'veth') found.push(`host interface ${name} is no veth`);
  if (wanted.hostMac && link.mac !== wanted.hostMac)
    found.push(`host interface ${name} has MAC ${link.mac}, not ${wanted.hostMac}`);
  if (wanted.bridge) found.push(...checkBridge(host, link, wanted.bridge));
  const routes = wanted.hostRoutes.length > 0 ? host.routes({ table: 254 }) : [];
  return [...found, ...missingRoutes(wanted.hostRoutes, routes, 'the host')];
}

function checkBridge(host: Netlink, port: Link, bridge: NonNullable<Wanted['bridge']>): string[] {
  const link = host.link(bridge.name);
  if (!link) return [`bridge ${bridge.name} is missing`];
  const found = link.up ? [] : [`bridge ${bridge.name} is down`];
  if (port.master !== link.index) found.push(`${port.name} is no port of ${bridge.name}`);
  return [...found, ...missingAddresses(bridge.addresses, host.addresses(), bridge.name)];
}

function checkPod(pod: PodNetns, endpoint: LocalEndpoint, wanted: Wanted, result: CniResult): string[] {
  const link = pod.netlink.link(endpoint.ifname);
  if (!link) return [`${endpoint.ifname} is missing in ${pod.path}`];
  return [
    ...linkDifferences(link, endpoint.ifname),
    ...missingAddresses(wanted.podAddresses, pod.netlink.addresses(), endpoint.ifname),
    ...missingRoutes(podRoutes(wanted, result), pod.netlink.routes({ table: 254 }), 'the pod'),
    ...missingNeighbours(wanted.podNeighbours, pod.netlink.neighbours(endpoint.ifname)),
  ];
}

/** A plugin behind us may have moved the pod's default route to another network; the result then has it no longer. */
function podRoutes(wanted: Wanted, { routes }: CniResult): Route[] {
  const said = ({ to, hops }: Route) => routes.some(({ dst, gw }) => dst === to && hops.some(({ via }) => via === gw));
  return wanted.podRoutes.filter((route) => lengthOf(route.to) > 0 || said(route));
}

function linkDifferences(link: Link, what: string): string[] {
  return link.up ? [] : [`${what} is down`];
}

/** What the result said of our interface; a plugin behind us may have changed it, and then the result says so too. */
function checkResult(pod: PodNetns, endpoint: LocalEndpoint, result: CniResult): string[] {
  const index = result.interfaces.findIndex((i) => i.name === endpoint.ifname && i.sandbox !== undefined);
  const said = result.interfaces[index];
  const link = pod.netlink.link(endpoint.ifname);
  if (!said) return [`prevResult has no interface ${endpoint.ifname}`];
  if (!link) return [];
  const found: string[] = [];
  if (said.mac && link.mac !== said.mac.toLowerCase())
    found.push(`${endpoint.ifname} has MAC ${link.mac}, not ${said.mac}`);
  if (said.mtu !== undefined && link.mtu !== said.mtu)
    found.push(`${endpoint.ifname} has MTU ${link.mtu}, not ${said.mtu}`);
  const have = new Set(
    pod.netlink
      .addresses()
      .filter((a) => a.link === endpoint.ifname)
      .map((a) => a.address),
  );
  for (const ip of result.ips) {
    if (ip.interface === index && !have.has(ip.address)) found.push(`address ${ip.address} of prevResult is missing`);
  }
  return found;
}

function missingAddresses(wanted: readonly Address[], have: readonly Address[], link: string): string[] {
  const there = new Set(have.filter((a) => a.link === link).map((a) => a.address));
  return wanted.filter((a) => !there.has(a.address)).map((a) => `address ${a.address} on ${link} is missing`);
}

function missingRoutes(wanted: readonly Route[], have: readonly Route[], where: string): string[] {
  const there = new Set(have.map(routeText));
  return wanted
    .filter((route) => !there.has(routeText(route)))
    .map((route) => `route ${routeText(route)} of ${where} is missing`);
}

/** What makes a route the one that was meant. */
function routeText(route: Route): string {
  const hops = route.hops.map((hop) => `${hop.via ? ` via ${hop.via}` : ''}${hop.link ? ` dev ${hop.link}` : ''}`);
  return `${route.type === 'unicast' ? '' : `${route.type} `}${route.to}${hops.join(',')}`;
}

function missingNeighbours(wanted: readonly Neighbour[], have: readonly Neighbour[]): string[] {
  return wanted
    .filter((w) => !have.some((h) => h.addr === w.addr && h.mac === w.mac && (h.state & w.state) !== 0))
    .map((w) => `permanent neighbour ${w.addr} lladdr ${w.mac} is missing`);
}
