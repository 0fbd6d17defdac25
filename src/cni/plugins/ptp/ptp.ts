/** The CNI plugin `ptp`: see README.md of this folder. */

import { configureInterface } from '#cni/parts/configure.ts';
import { enableForwarding } from '#cni/parts/forward.ts';
import { dnsOver, ipamAdd, ipamVerb, needIpam, removeThenFree } from '#cni/parts/ipam.ts';
import { masqueradePod, notMasqueraded, unmasqueradePod, unmasqueradeStale } from '#cni/parts/masquerade.ts';
import { removeStaleVeths, removeVeth } from '#cni/parts/remove.ts';
import { runOn } from '#cni/parts/run.ts';
import { Undo } from '#cni/parts/undo.ts';
import {
  missingAddresses,
  missingRoutes,
  needPrevResult,
  peerOf,
  podDifferences,
  refuseDifferences,
} from '#cni/parts/verify.ts';
import { makeVeth, type Veth } from '#cni/parts/veth.ts';
import type { Plugin, PluginCall, PodNetns } from '#cni/plugin.ts';
import { connectedRoute, hostAddress, hostRoute, type Placed, podRoutes } from '#cni/plugins/ptp/routes.ts';
import { prefixFamily } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { optBoolean } from '#wire/cni/json.ts';
import { appendResult, type CniIp, type CniResult } from '#wire/cni/result.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

export const ptp: Plugin = { type: 'ptp', add, del, check, status, gc };

/** Of host's end, pod's end in `interfaces`. */
const POD_INTERFACE = 1;

async function add(call: PluginCall): Promise<CniResult> {
  const ipam = needIpam(call.conf);
  const ipMasq = masquerades(call);
  using pod = call.caller.openPod(call.request.netns);
  await using undo = new Undo(call.host.log);
  const { mtu } = call.conf;
  const veth = await makeVeth(call, pod, mtu === undefined ? {} : { mtu }, undo);
  const given = await ipamAdd(call, ipam, undo);
  const placed = given.ips.map(placedOf);
  const ips = placed.map((ip) => ({ ...ip, interface: POD_INTERFACE }));
  enableForwarding(
    call.caller,
    placed.map(({ address }) => prefixFamily(address)),
  );
  configure(call, pod, veth, { ...given, ips }, placed);
  if (ipMasq) {
    undo.defer(() => unmasqueradePod(call));
    masqueradePod(
      call,
      placed.map(({ address }) => address),
    );
  }
  undo.keep();
  const interfaces = [veth.host, { ...veth.pod, sandbox: pod.path }];
  const result = { interfaces, ips, routes: given.routes, dns: dnsOver(call.conf, given) };
  return call.conf.prevResult ? appendResult(call.conf.prevResult, result) : result;
}

function masquerades({ conf }: PluginCall): boolean {
  return optBoolean(conf.raw, 'ipMasq', '') ?? false;
}

function placedOf({ address, gateway }: CniIp): Placed {
  if (gateway) return { address, gateway };
  throw new PolderError('cni-config', { what: `ipam gives ${address} no gateway: it is the host’s end of ptp` });
}

/** The pod reaches its network, too, only by way of the host's end. */
function configure(
  call: PluginCall,
  pod: PodNetns,
  { host }: Veth,
  result: CniResult,
  placed: readonly Placed[],
): void {
  const { ifname } = call.request;
  const then = placed.flatMap((ip): NetlinkOp[] => [
    { op: 'route.del', route: connectedRoute(ifname, ip) },
    ...podRoutes(ifname, ip).map((route): NetlinkOp => ({ op: 'route.add', route })),
  ]);
  // ESRCH: there is no connected route.
  configureInterface(pod, ifname, result, { then, tolerated: ['ESRCH'] });
  const gateways = [...new Map(placed.map((ip) => [ip.gateway, ip])).values()];
  runOn(call.caller.netlink, host.name, [
    ...gateways.map((ip): NetlinkOp => ({ op: 'addr.add', address: hostAddress(host.name, ip) })),
    ...placed.map((ip): NetlinkOp => ({ op: 'route.add', route: hostRoute(host.name, ip) })),
  ]);
}

async function del(call: PluginCall): Promise<void> {
  const ipMasq = masquerades(call);
  await removeThenFree(call, 'DEL', async () => {
    await removeVeth(call);
    if (ipMasq) unmasqueradePod(call);
  });
}

async function check(call: PluginCall): Promise<void> {
  const result = needPrevResult(call);
  await ipamVerb(call, 'CHECK');
  using pod = call.caller.openPod(call.request.netns);
  const { ifname } = call.request;
  const own = result.ips.filter((ip) => ip.interface === undefined || result.interfaces[ip.interface]?.name === ifname);
  const addresses = own.map(({ address }) => address);
  refuseDifferences(call, [
    ...podDifferences(pod, ifname, result, 'veth'),
    ...hostDifferences(call, pod, own.map(placedOf)),
    ...(masquerades(call) ? notMasqueraded(call, addresses) : []),
  ]);
}

function hostDifferences({ caller, request }: PluginCall, pod: PodNetns, placed: readonly Placed[]): string[] {
  const inside = pod.netlink.link(request.ifname);
  const host = inside && peerOf(caller.netlink, inside);
  if (!host) return inside ? [`the host’s end of ${request.ifname} is missing`] : [];
  const addresses = placed.map((ip) => hostAddress(host.name, ip).address);
  const routes = placed.map((ip) => hostRoute(host.name, ip));
  const inner = placed.flatMap((ip) => podRoutes(request.ifname, ip));
  return [
    ...(host.up ? [] : [`${host.name} is down`]),
    ...missingAddresses(addresses, caller.netlink.addresses(), host.name),
    ...missingRoutes(routes, caller.netlink.routes()),
    ...missingRoutes(inner, pod.netlink.routes()),
  ];
}

async function status(call: PluginCall): Promise<void> {
  needIpam(call.conf);
  await ipamVerb(call, 'STATUS');
}

async function gc(call: PluginCall): Promise<void> {
  await removeThenFree(call, 'GC', async () => {
    await removeStaleVeths(call);
    if (masquerades(call)) unmasqueradeStale(call);
  });
}
