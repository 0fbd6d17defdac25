/** The host's side must pass pods' packets on. */

import type { CallerNetns } from '#cni/plugin.ts';
import type { Family } from '#net/addr.ts';

const NAMES: Readonly<Record<Family, string>> = { 4: 'net.ipv4.ip_forward', 6: 'net.ipv6.conf.all.forwarding' };

/** Read first, since a write costs the kernel a walk of all devices. */
export function enableForwarding(caller: CallerNetns, families: Iterable<Family>): void {
  for (const family of new Set(families)) {
    if (caller.readSysctl(NAMES[family]) !== '1') caller.writeSysctl(NAMES[family], '1');
  }
}
