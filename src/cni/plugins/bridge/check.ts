/** CHECK: compares with what ADD made, and names everything that differs. */

import { ipamOf, ipamVerb } from '#cni/parts/ipam.ts';
import { notBound } from '#cni/parts/mac-spoof.ts';
import { notMasqueraded } from '#cni/parts/masquerade.ts';
import { linkDifferences, needPrevResult, peerOf, podDifferences, refuseDifferences } from '#cni/parts/verify.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { type BridgeConf, readBridgeConf } from '#cni/plugins/bridge/conf.ts';
import { vlanDifferences, vlanGatewayOf } from '#cni/plugins/bridge/vlan.ts';
import type { CniResult } from '#wire/cni/result.ts';

export async function check(call: PluginCall): Promise<void> {
  const conf = readBridgeConf(call);
  const result = needPrevResult(call);
  await ipamVerb(call, 'CHECK');
  using pod = call.caller.openPod(call.request.netns);
  refuseDifferences(call, [
    ...hostDifferences(call, conf, pod),
    ...podDifferences(pod, call.request.ifname, result, 'veth').filter((d) => !expected(d, call, conf)),
    ...(conf.ipMasq ? notMasqueraded(call, addressesOf(call, result)) : []),
    ...(conf.macspoofchk ? notBound(call) : []),
  ]);
}

function expected(difference: string, { request }: PluginCall, conf: BridgeConf): boolean {
  return conf.disableContainerInterface && difference === `${request.ifname} is down`;
}

/** Another plugin of the chain may have given addresses to other interfaces. */
function addressesOf({ request }: PluginCall, { interfaces, ips }: CniResult) {
  return ips
    .filter((ip) => ip.interface === undefined || interfaces[ip.interface]?.name === request.ifname)
    .map(({ address }) => address);
}

function hostDifferences(call: PluginCall, conf: BridgeConf, pod: PodNetns): string[] {
  const { caller, request } = call;
  const bridge = caller.netlink.link(conf.bridge);
  if (!bridge) return [`bridge ${conf.bridge} is missing`];
  const inside = pod.netlink.link(request.ifname);
  const port = inside && peerOf(caller.netlink, inside);
  if (!port) return inside ? [`the host’s end of ${request.ifname} is missing`] : [];
  return [
    ...(bridge.info.kind === 'bridge' ? [] : [`${conf.bridge} is no bridge`]),
    ...(bridge.up ? [] : [`bridge ${conf.bridge} is down`]),
    ...(port.up ? [] : [`${port.name} is down`]),
    ...(port.master === bridge.index ? [] : [`${port.name} is no port of ${conf.bridge}`]),
    ...(conf.hairpinMode && port.port?.hairpin === false ? [`${port.name} is not in hairpin mode`] : []),
    ...(conf.portIsolation && port.port?.isolated === false ? [`${port.name} is not isolated`] : []),
    ...vlanDifferences(caller.netlink, port.name, conf),
    ...gatewayDifferences(call, conf),
  ];
}

function gatewayDifferences(call: PluginCall, conf: BridgeConf): string[] {
  const name = ipamOf(call.conf) && vlanGatewayOf(conf);
  if (name === undefined) return [];
  const link = call.caller.netlink.link(name);
  return link ? linkDifferences(link, { name }, 'veth') : [`${name}, the gateway of VLAN ${conf.vlan}, is missing`];
}
