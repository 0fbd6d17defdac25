/** The pod of a lease: found again without a caller, and changed when its lease changes. */

import { fstatSync } from 'node:fs';
import type { LeaseRecord } from '#cni/dhcp/record.ts';
import { resultOf } from '#cni/dhcp/result.ts';
import type { DhcpLink } from '#cni/dhcp/talk.ts';
import { addressOn, routesOn } from '#cni/parts/configure.ts';
import { missingAddresses, routeText } from '#cni/parts/verify.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { type Netns, openNetns } from '#kernel/netns/netns.ts';
import type { Lease } from '#wire/dhcp/lease.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { Link, NetlinkOp, Route } from '#wire/netlink/values.ts';

/** The interface as the protocol sees it; undefined if it is not there, or has no Ethernet address. */
export function dhcpLink(
  netns: { readonly fd: number },
  link: Link | undefined,
  broadcast: boolean,
): DhcpLink | undefined {
  if (!link?.mac) return undefined;
  const { name, index, mac, info } = link;
  // All interfaces of one master share its address: what is sent to it reaches the one with the IP address only.
  return { netns, ifname: name, ifindex: index, mac, broadcast: broadcast || info.kind === 'ipvlan' };
}

export interface FoundPod extends Disposable {
  readonly netlink: Netlink;
  readonly link: DhcpLink;
}

/** Undefined if the pod or its interface is gone. Nothing stays open: that would keep a dead pod's namespace. */
export function findPod({ netns: path, inode, ifname, broadcast }: LeaseRecord): FoundPod | undefined {
  using stack = new DisposableStack();
  const netns = openAgain(path, inode);
  if (!netns) return undefined;
  stack.use(netns);
  const netlink = stack.use(openNetlink(netns.fd));
  const link = dhcpLink(netns, netlink.link(ifname), broadcast);
  if (!link) return undefined;
  const held = stack.move();
  return { netlink, link, [Symbol.dispose]: () => held.dispose() };
}

/** The caller's own view of the file system went with it: its path may also be found here, or as the first process sees it. */
function openAgain(path: string, inode: number): Netns | undefined {
  const bare = path.replace(/^\/proc\/\d+\/root(?=\/)/, '');
  for (const one of new Set([path, bare, `/proc/1/root${bare}`])) {
    const netns = openIfThere(one);
    if (netns && fstatSync(netns.fd).ino === inode) return netns;
    netns?.close();
  }
  return undefined;
}

function openIfThere(path: string): Netns | undefined {
  try {
    return openNetns({ path });
  } catch {
    return undefined;
  }
}

/** The address and routes of the one lease in place of those of the other. @throws PolderError kernel-refused */
export function change(pod: FoundPod, record: LeaseRecord, to: Lease | undefined): void {
  const have = record.lost ? undefined : record.lease;
  const ops = differences(record, have, to);
  const failure = pod.netlink.run(ops).find(({ code }) => !['EEXIST', 'ESRCH', 'EADDRNOTAVAIL'].includes(code));
  if (failure) throw refusalError(failure);
}

function differences(record: LeaseRecord, from: Lease | undefined, to: Lease | undefined): NetlinkOp[] {
  const link = record.ifname;
  const routes = (lease: Lease | undefined): Route[] => {
    const result = lease && resultOf(lease, record.priority);
    return result ? routesOn(link, result.ips, result.routes) : [];
  };
  const moved = from?.address !== to?.address;
  const [old, fresh] = [routes(from), routes(to)];
  const stay = new Set(moved ? [] : fresh.map(routeText));
  const had = new Set(moved ? [] : old.map(routeText));
  return [
    ...old.filter((route) => !stay.has(routeText(route))).map((route) => ({ op: 'route.del', route }) as const),
    ...(from && moved ? [{ op: 'addr.del', address: addressOn(link, from.address) } as const] : []),
    ...(to && moved ? [{ op: 'addr.add', address: addressOn(link, to.address) } as const] : []),
    ...fresh.filter((route) => !had.has(routeText(route))).map((route) => ({ op: 'route.append', route }) as const),
  ];
}

/** True if the pod's interface has the address of the lease. */
export function bears(pod: FoundPod, { ifname, lease }: LeaseRecord): boolean {
  return missingAddresses([lease.address], pod.netlink.addresses(), ifname).length === 0;
}
