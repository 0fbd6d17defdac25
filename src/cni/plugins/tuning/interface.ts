/** Attributes of the pod's interface: read, changed, compared. */

import { run } from '#cni/parts/run.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import type { Attributes } from '#cni/plugins/tuning/conf.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import type { Mac } from '#net/mac.ts';
import { PolderError } from '#spec/errors.ts';
import { type Link, type NetlinkOp, NUD_PERMANENT } from '#wire/netlink/values.ts';

/** @throws PolderError cni-config if the pod has no such interface. */
export function needLink(pod: PodNetns, ifname: string): Link {
  const link = pod.netlink.link(ifname);
  if (link) return link;
  throw new PolderError('cni-config', { what: `There is no interface ${ifname} in ${pod.path} to be tuned` });
}

/** What the link has now of what is wanted to be otherwise. */
export function presentOf(link: Link, wanted: Attributes): Attributes {
  return {
    ...(wanted.mac !== undefined && link.mac !== undefined && { mac: link.mac }),
    ...(wanted.mtu !== undefined && { mtu: link.mtu }),
    ...(wanted.promisc !== undefined && { promisc: link.promisc ?? false }),
    ...(wanted.allmulti !== undefined && { allmulti: link.allmulti ?? false }),
    ...(wanted.txQueueLen !== undefined && link.txQueueLen !== undefined && { txQueueLen: link.txQueueLen }),
  };
}

/** Changes what is wanted otherwise. @throws PolderError kernel-refused */
export function setAttributes(call: PluginCall, pod: PodNetns, ifname: string, wanted: Attributes): void {
  const { mac, ...rest } = wanted;
  if (Object.keys(rest).length > 0) run(pod.netlink, [{ op: 'link.set', name: ifname, change: rest }]);
  if (mac !== undefined) setMac(call, pod, ifname, mac);
}

/**
 * The kernel forgets the interface's neighbours when its address changes, those that were set by hand, too: they are
 * put back. The node's entries that name the old address are mended or forgotten: else it would talk to nobody until
 * they are tried anew.
 */
function setMac(call: PluginCall, pod: PodNetns, ifname: string, mac: Mac): void {
  const before = pod.netlink.link(ifname)?.mac;
  if (before === mac) return;
  const kept = pod.netlink.neighbours(ifname).filter(({ state }) => (state & NUD_PERMANENT) !== 0);
  run(pod.netlink, [{ op: 'link.set', name: ifname, change: { mac } }]);
  run(
    pod.netlink,
    kept.map((neighbour) => ({ op: 'neigh.replace', neighbour })),
  );
  if (before !== undefined) run(call.caller.netlink, mended(call.caller.netlink, before, mac), 'ENOENT');
}

function mended(host: Netlink, before: Mac, mac: Mac): NetlinkOp[] {
  const entries = host.neighbours().filter((entry) => entry.mac === before);
  return entries.map((neighbour) =>
    (neighbour.state & NUD_PERMANENT) !== 0
      ? { op: 'neigh.replace', neighbour: { ...neighbour, mac } }
      : { op: 'neigh.del', neighbour },
  );
}

export function attributeDifferences(link: Link, wanted: Attributes): string[] {
  const have = new Map<string, unknown>(Object.entries(presentOf(link, wanted)));
  return Object.entries(wanted)
    .filter(([key, value]) => have.get(key) !== value)
    .map(([key, value]) => `${link.name} has ${key} ${String(have.get(key))}, not ${String(value)}`);
}
