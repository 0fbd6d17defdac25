/** Addresses: on our own devices all are ours but those that the kernel itself gives. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import type { Address, Link } from '#wire/netlink/values.ts';

/** Of scope `link` is the address that the kernel makes for IPv6 (fe80::/64). */
export function ownsAddress({ link, scope }: Address, own: ReadonlySet<string>): boolean {
  return own.has(link) && scope !== 'link';
}

export function readAddresses(netlink: Netlink, own: readonly Link[]): Address[] {
  if (own.length === 0) return [];
  const names = new Set(own.map(({ name }) => name));
  return netlink.addresses().filter((address) => ownsAddress(address, names));
}
