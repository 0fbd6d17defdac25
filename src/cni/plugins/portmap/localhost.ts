/**
 * Ports asked for at 127.0.0.1 of the node: the kernel lets such packets out of an interface only if it has
 * `route_localnet` (Documentation/networking/ip-sysctl.rst). IPv6 has no such thing.
 */

import type { PluginCall } from '#cni/plugin.ts';
import { addrOf, contains, type IfAddr, lengthOf, prefixFamily } from '#net/prefix.ts';
import { TABLE_MAIN } from '#wire/netlink/values.ts';

export function admitLocalhost(call: PluginCall, pod: readonly IfAddr[]): void {
  for (const name of sysctlsFor(call, pod))
    if (call.caller.readSysctl(name) !== '1') call.caller.writeSysctl(name, '1');
}

export function localnetDifferences(call: PluginCall, pod: readonly IfAddr[]): string[] {
  return sysctlsFor(call, pod)
    .filter((name) => call.caller.readSysctl(name) !== '1')
    .map((name) => `${name} is not 1`);
}

function sysctlsFor(call: PluginCall, pod: readonly IfAddr[]): string[] {
  return pod
    .filter((address) => prefixFamily(address) === 4)
    .flatMap((address) => linkTowards(call, address) ?? [])
    .map((link) => `net/ipv4/conf/${link}/route_localnet`);
}

/** The interface of the longest route to the pod; undefined if the node has none (an interface like macvlan). */
function linkTowards({ caller }: PluginCall, address: IfAddr): string | undefined {
  const addr = addrOf(address);
  const routes = caller.netlink.routes({ family: 4, table: TABLE_MAIN }).filter(({ to }) => contains(to, addr));
  return routes.toSorted((a, b) => lengthOf(b.to) - lengthOf(a.to))[0]?.hops[0]?.link;
}
