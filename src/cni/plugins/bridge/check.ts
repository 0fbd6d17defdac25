/** CHECK: compares with what ADD made, and names everything that differs. */

import { ipamOf, ipamVerb } from '#cni/parts/ipam.ts';
import { notBound } from '#cni/parts/mac-spoof.ts';
import { notMasqueraded } from '#cni/parts/masquerade.ts';
import {
  linkDifferences,
  missingAddresses,
  needPrevResult,
  peerOf,
  podDifferences,
  refuseDifferences,
} from '#cni/parts/verify.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { type BridgeConf, readBridgeConf } from '#cni/plugins/bridge/conf.ts';
import { vlanDifferences, vlanGatewayOf } from '#cni/plugins/bridge/vlan.ts';
import { ifAddr, lengthOf } from '#net/prefix.ts';
import type { CniIp, CniResult } from '#wire/cni/result.ts';

export async function check(call: PluginCall): Promise<void> {
  const conf = readBridgeConf(call);
  const result = needPrevResult(call);
  await ipamVerb(call, 'CHECK');
  using pod = call.caller.openPod(call.request.netns);
  refuseDifferences(call, [
    ...hostDifferences(call, conf, pod, result),
    ...podDifferences(pod, call.request.ifname, result, 'veth').filter((d) => !expected(d, call, conf)),
    ...(conf.ipMasq
      ? notMasqueraded(
          call,
          ipsOf(call, result).map(({ address }) => address),
        )
      : []),
    ...(conf.macspoofchk ? notBound(call) : []),
  ]);
}

function expected(difference: string, { request }: PluginCall, conf: BridgeConf): boolean {
  return conf.disableContainerInterface && difference === `${request.ifname} is down`;
}

/** Another plugin of the chain may have given addresses to other interfaces. */
function ipsOf({ request }: PluginCall, { interfaces, ips }: CniResult): CniIp[] {
  return ips.filter((ip) => ip.interface === undefined || interfaces[ip.interface]?.name === request.ifname);
}

function hostDifferences(call: PluginCall, conf: BridgeConf, pod: PodNetns, result: CniResult): string[] {
  const { caller, request } = call;
  const bridge = caller.netlink.link(conf.bridge);
  if (!bridge) return [`bridge ${conf.bridge} is missing`];
  const inside = pod.netlink.link(request.ifname);
  const port = inside && peerOf(caller.netlink, inside);
  if (!port) return inside ? [`the host’s end of ${request.ifname} is missing`] : [];
  return [
    ...(bridge.info.kind === 'bridge' ? [] : [`${conf.bridge} is no bridge`]),
    ...(bridge.up ? [] : [`bridge ${conf.bridge} is down`]),
    ...(conf.promiscMode && !bridge.promisc ? [`bridge ${conf.bridge} is not promiscuous`] : []),
    ...(port.up ? [] : [`${port.name} is down`]),
    ...(port.master === bridge.index ? [] : [`${port.name} is no port of ${conf.bridge}`]),
    ...(conf.hairpinMode && port.port?.hairpin === false ? [`${port.name} is not in hairpin mode`] : []),
    ...(conf.portIsolation && port.port?.isolated === false ? [`${port.name} is not isolated`] : []),
    ...vlanDifferences(caller.netlink, port.name, conf),
    ...(conf.isGateway && ipamOf(call.conf) ? gatewayDifferences(call, conf, ipsOf(call, result)) : []),
  ];
}

/** Pods reach what is beyond only by these addresses. */
function gatewayDifferences({ caller: { netlink } }: PluginCall, conf: BridgeConf, ips: readonly CniIp[]): string[] {
  const ofVlan = vlanGatewayOf(conf);
  const link = ofVlan === undefined ? undefined : netlink.link(ofVlan);
  if (ofVlan !== undefined && !link) return [`${ofVlan}, the gateway of VLAN ${conf.vlan}, is missing`];
  const wanted = ips.flatMap(({ address, gateway }) => (gateway ? [ifAddr(gateway, lengthOf(address))] : []));
  return [
    ...(link ? linkDifferences(link, { name: link.name }, 'veth') : []),
    ...missingAddresses(wanted, netlink.addresses(), ofVlan ?? conf.bridge),
  ];
}
