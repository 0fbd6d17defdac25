/**
 * UDP has no end that conntrack could see: a flow that was there before the port, or outlives it, would go on to where
 * it went before. So the entries of a port that has changed are removed; those to other machines are not touched.
 */

import type { Placed } from '#cni/parts/owned-elements.ts';
import type { PluginCall } from '#cni/plugin.ts';
import { concatOf } from '#cni/plugins/portmap/elements.ts';
import { openConntrack } from '#kernel/conntrack/conntrack.ts';
import type { Conntrack } from '#kernel/conntrack/handle.ts';
import { type Addr, readAddr } from '#net/addr.ts';
import { addrOf } from '#net/prefix.ts';
import { type ConnectionFilter, IPPROTO_UDP } from '#wire/conntrack/values.ts';

/** What fails is logged: the ports themselves are right. */
export function forgetStaleUdp({ caller, host }: PluginCall, placed: readonly Placed[]): void {
  const asked = placed.flatMap(udpFilter);
  if (asked.length === 0) return;
  try {
    using conntrack = openConntrack(caller.fd);
    const local = new Set(caller.netlink.addresses().map(({ address }) => addrOf(address)));
    for (const filter of asked) forget(conntrack, filter, local);
  } catch (error) {
    host.log.warn({ error: String(error) }, 'stale UDP entries of conntrack could not be removed');
  }
}

/** Of an element of `ports4` or `addrs4` (and of 6) for UDP. */
function udpFilter({ set, element }: Placed): ConnectionFilter[] {
  if (set.startsWith('masq')) return [];
  const key = concatOf(element.key);
  const [protocol, destinationPort] = key.slice(-2);
  if (protocol !== IPPROTO_UDP || typeof destinationPort !== 'number') return [];
  const [first] = key;
  const destination = key.length === 3 && typeof first === 'string' ? readAddr(first) : undefined;
  const family = /^(?:ports|addrs)6/.test(set) ? 6 : 4;
  return [{ family, protocol, destinationPort, ...(destination && { destination }) }];
}

function forget(conntrack: Conntrack, filter: ConnectionFilter, local: ReadonlySet<Addr>): void {
  for (const { original } of conntrack.connections(filter)) {
    const { source, destination } = original;
    if (local.has(destination) || destination.startsWith('127.')) conntrack.delete({ ...filter, source, destination });
  }
}
