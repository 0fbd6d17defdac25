/** A pair of virtual Ethernet interfaces, one end here, one in the pod. */

import { hash } from 'node:crypto';
import { run } from '#cni/parts/run.ts';
import { tagOf } from '#cni/parts/tag.ts';
import type { Undo } from '#cni/parts/undo.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import type { KnownLink } from '#kernel/netlink/handle.ts';
import { localMac, type Mac } from '#net/mac.ts';
import { PolderError } from '#spec/errors.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** The host's end of a pod's interface: the same name for the same attachment, so that DEL needs no memory. */
export function hostVethName({ conf, request }: PluginCall): string {
  const of = `${conf.name}.${request.containerId}.${request.ifname}`;
  return `veth${hash('sha1', of).slice(0, 8)}`;
}

export interface VethWanted {
  /** Of the pod's end. */
  readonly mac?: Mac;
  readonly mtu?: number;
  /** Bridge that the host's end joins. */
  readonly master?: KnownLink;
}

/** What is known of an end without asking the kernel. */
export interface VethEnd {
  readonly name: string;
  readonly mac: Mac;
  readonly mtu: number;
}

export interface Veth {
  readonly host: VethEnd;
  readonly pod: VethEnd;
}

/** The kernel's own choice for Ethernet (ETH_DATA_LEN). */
const DEFAULT_MTU = 1500;

/**
 * One queue at each end: a veth locks none and spreads nothing over them, but each has a folder in sysfs, and one for
 * every CPU would be half of what making and deleting the pair costs.
 */
const QUEUES = 1;

/** Makes the pair; the host's end is up, the pod's is not. @throws PolderError cni-attached if the pod has such an interface. */
export async function makeVeth(call: PluginCall, pod: PodNetns, wanted: VethWanted, undo: Undo): Promise<Veth> {
  const { netlink, remover } = call.caller;
  const name = hostVethName(call);
  const mtu = wanted.mtu ?? DEFAULT_MTU;
  const host = { name, mac: randomMac(), mtu };
  const inside = { name: call.request.ifname, mac: wanted.mac ?? randomMac(), mtu };
  const op = vethOp(call, pod, { host, pod: inside }, wanted.master?.name);
  const [failure] = netlink.run([op], wanted.master && [wanted.master]);
  if (failure) {
    if (failure.code !== 'EEXIST') throw refusalError(failure);
    refuseTaken(call, pod);
    // Nobody else makes this name: it is what an ADD that was killed has left.
    await remover.remove(name);
    run(netlink, [op]);
  }
  undo.defer(() => remover.remove(name));
  return { host, pod: inside };
}

/** @throws PolderError cni-attached */
export function refuseTaken({ request }: PluginCall, pod: PodNetns, ifname = request.ifname): void {
  if (!pod.netlink.find(ifname)) return;
  throw new PolderError('cni-attached', { container: request.containerId, ifname });
}

/** It is to differ from others, not to be a secret: the random numbers of node:crypto take twenty times as long. */
function randomMac(): Mac {
  return localMac(Uint8Array.from({ length: 6 }, () => Math.random() * 256));
}

function vethOp({ conf, request }: PluginCall, pod: PodNetns, ends: Veth, master: string | undefined): NetlinkOp {
  return {
    op: 'link.add',
    link: {
      ...ends.host,
      info: { kind: 'veth' },
      up: true,
      queues: QUEUES,
      // Whose it is, for GC and for people.
      alias: tagOf({ network: conf.name, containerId: request.containerId, ifname: request.ifname }),
      ...(master !== undefined && { master }),
      // Made in the pod at once: moving it there afterwards would cost an RCU wait.
      peer: { ...ends.pod, netns: pod.fd },
    },
  };
}
