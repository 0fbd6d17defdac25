/** Interfaces: the tunnels' devices and the bridge are ours; veths of pods are the CNI plugin's, all others foreign. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { OWN_ALIAS } from '#plan/objects.ts';
import type { Link } from '#wire/netlink/values.ts';

const KINDS: ReadonlySet<string> = new Set(['bridge', 'vxlan', 'ipip', 'ifb', 'wireguard']);

/** By alias, so a device of the same name that somebody else made is not ours; and by kind, since veths bear it too. */
export function ownsLink({ alias, info }: Link): boolean {
  return alias === OWN_ALIAS && KINDS.has(info.kind);
}

export function readLinks(netlink: Netlink): { readonly links: readonly Link[]; readonly own: readonly Link[] } {
  const links = netlink.links();
  return { links, own: links.filter(ownsLink) };
}
