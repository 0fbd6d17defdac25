/** A bridge of the host: made if it is not there; what others did to it stays. */

import { addressOn } from '#cni/parts/configure.ts';
import { run } from '#cni/parts/run.ts';
import type { Undo } from '#cni/parts/undo.ts';
import type { CallerNetns } from '#cni/plugin.ts';
import type { KnownLink, Netlink } from '#kernel/netlink/handle.ts';
import { type IfAddr, networkOf, overlaps, prefixFamily } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { Address, Link } from '#wire/netlink/values.ts';

export interface BridgeWanted {
  readonly name: string;
  readonly mtu?: number;
  readonly promisc?: boolean;
  readonly vlanFiltering?: boolean;
}

/** The bridge, up. One that this call made goes again if the call fails and nobody else uses it. @throws PolderError cni-config */
export function ensureBridge(caller: CallerNetns, wanted: BridgeWanted, undo: Undo): KnownLink {
  const { netlink } = caller;
  const link = seenBefore(netlink, wanted.name) ?? findOrMake(caller, wanted, undo);
  if (!netlink.isUp(link.name)) run(netlink, [{ op: 'link.set', name: link.name, change: { up: true } }]);
  if (wanted.promisc) run(netlink, [{ op: 'link.set', name: wanted.name, change: { promisc: true } }]);
  if (wanted.vlanFiltering) needVlanFiltering(netlink.link(wanted.name));
  return link;
}

/** Names and indices of bridges, by namespace. What has an index stays of its kind, and the kernel gives no index twice. */
const seen = new WeakMap<Netlink, Map<string, number>>();

/** The bridge without asking for its kind, which takes ten times as long as asking for its index. */
function seenBefore(netlink: Netlink, name: string): KnownLink | undefined {
  const index = seen.get(netlink)?.get(name);
  return index !== undefined && netlink.indexOf(name) === index ? { name, index } : undefined;
}

function findOrMake(caller: CallerNetns, wanted: BridgeWanted, undo: Undo): KnownLink {
  const { netlink } = caller;
  let link = netlink.find(wanted.name);
  if (!link) {
    makeBridge(caller, wanted, undo);
    link = netlink.find(wanted.name);
  }
  if (!link) throw new PolderError('cni-io', { what: `The bridge ${wanted.name} went away while it was set up` });
  if (link.kind !== 'bridge') {
    throw new PolderError('cni-config', { what: `bridge names ${wanted.name}, which is there and is no bridge` });
  }
  const names = seen.get(netlink) ?? new Map<string, number>();
  seen.set(netlink, names.set(link.name, link.index));
  return link;
}

function makeBridge(caller: CallerNetns, { name, mtu, vlanFiltering }: BridgeWanted, undo: Undo): void {
  const { netlink } = caller;
  const info = { kind: 'bridge', ...(vlanFiltering && { vlanFiltering }) } as const;
  // Another call may make it at the same time.
  run(netlink, [{ op: 'link.add', link: { name, info, ...(mtu !== undefined && { mtu }) } }], 'EEXIST');
  undo.defer(() => removeUnused(netlink, name));
  try {
    // We alone say what routes there are by it.
    caller.writeSysctl(`net/ipv6/conf/${name}/accept_ra`, '0');
  } catch {
    // A kernel without IPv6.
  }
}

function removeUnused(netlink: Netlink, name: string): void {
  const links = netlink.links();
  const bridge = links.find((link) => link.name === name);
  if (bridge && !links.some(({ master }) => master === bridge.index)) run(netlink, [{ op: 'link.del', name }]);
}

function needVlanFiltering(link: Link | undefined): void {
  if (!link) return;
  const { name, info } = link;
  if (info.kind === 'bridge' && info.vlanFiltering) return;
  const detail = ', which vlan and vlanTrunk need';
  if (info.kind === 'bridge' && info.vlanDefaultPvid === undefined) {
    throw new PolderError('kernel-feature-missing', { feature: 'VLAN filtering of bridges', detail });
  }
  throw new PolderError('cni-config', {
    what: `${name} filters no VLANs, which vlan and vlanTrunk need: ip link set ${name} type bridge vlan_filtering 1`,
  });
}

/**
 * Gives the interface a gateway's address. Several of IPv6 may stand beside one another if their networks do not
 * overlap; any other is in the way. @throws PolderError cni-config if one is, unless `force` removes it.
 */
export function ensureAddress(netlink: Netlink, link: KnownLink, address: IfAddr, force: boolean): void {
  const [failure] = netlink.run([{ op: 'addr.add', address: addressOn(link.name, address) }], [link]);
  // The usual case: a pod before has made it. All of a node's addresses are read only if it is new.
  if (failure?.code === 'EEXIST') return;
  if (failure) throw refusalError(failure);
  const inTheWay = othersOn(netlink, link.name, address);
  const [first] = inTheWay;
  if (first && !force) {
    run(netlink, [{ op: 'addr.del', address: addressOn(link.name, address) }]);
    const what = `${link.name} has the address ${first.address} already, not ${address}: forceAddress would replace it`;
    throw new PolderError('cni-config', { what });
  }
  run(
    netlink,
    inTheWay.map((a) => ({ op: 'addr.del', address: a })),
  );
  // With the first address of a network the kernel deletes those that came after it.
  if (first) run(netlink, [{ op: 'addr.add', address: addressOn(link.name, address) }], 'EEXIST');
  // Set, so that it does not follow the lowest of its ports from now on.
  const mac = netlink.find(link.name)?.mac;
  if (mac) run(netlink, [{ op: 'link.set', name: link.name, change: { mac } }]);
}

function othersOn(netlink: Netlink, link: string, address: IfAddr): Address[] {
  const family = prefixFamily(address);
  return netlink
    .addresses()
    .filter((a) => a.link === link && prefixFamily(a.address) === family && a.scope === 'global')
    .filter((a) => a.address !== address)
    .filter((a) => family === 4 || overlaps(networkOf(a.address), networkOf(address)));
}
