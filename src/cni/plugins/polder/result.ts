/** The result of ADD: the bridge if there is one, the host's end, the pod's end (as the reference `bridge` orders them). */

import type { PodNetns } from '#cni/plugin.ts';
import { DEFAULT, type Wanted } from '#cni/plugins/polder/wanted.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { prefixFamily } from '#net/prefix.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import type { CniDns, CniInterface, CniResult } from '#wire/cni/result.ts';

export function resultOf(
  endpoint: LocalEndpoint,
  wanted: Wanted,
  pod: PodNetns,
  host: Netlink,
  dns: CniDns,
): CniResult {
  const { bridge, mtu } = wanted;
  const hostMac = wanted.hostMac ?? host.link(endpoint.hostIfname)?.mac;
  // The agent may have made the bridge, with a hardware address of its own choice.
  const bridgeMac = bridge && host.link(bridge.name)?.mac;
  const interfaces: CniInterface[] = [
    ...(bridge ? [{ name: bridge.name, ...(bridgeMac && { mac: bridgeMac }), mtu: bridge.mtu }] : []),
    { name: endpoint.hostIfname, ...(hostMac && { mac: hostMac }), mtu },
    { name: endpoint.ifname, mac: endpoint.mac, mtu, sandbox: pod.path },
  ];
  return {
    interfaces,
    ips: wanted.ips.map((ip) => ({ ...ip, interface: interfaces.length - 1 })),
    routes: wanted.ips.map(({ address, gateway }) => ({ dst: DEFAULT[prefixFamily(address)], gw: gateway })),
    dns,
  };
}
