/** A pair of virtual Ethernet interfaces, one end here, one in the pod. */

import { createHash } from 'node:crypto';
import { run } from '#cni/parts/run.ts';
import { tagOf } from '#cni/parts/tag.ts';
import type { Undo } from '#cni/parts/undo.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import type { Mac } from '#net/mac.ts';
import { PolderError } from '#spec/errors.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { Link, NetlinkOp } from '#wire/netlink/values.ts';

/** The host's end of a pod's interface: the same name for the same attachment, so that DEL needs no memory. */
export function hostVethName({ conf, request }: PluginCall): string {
  const of = `${conf.name}.${request.containerId}.${request.ifname}`;
  return `veth${createHash('sha1').update(of).digest('hex').slice(0, 8)}`;
}

export interface VethWanted {
  /** Of the pod's end. */
  readonly mac?: Mac;
  readonly mtu?: number;
  /** Bridge that the host's end joins. */
  readonly master?: string;
}

export interface Veth {
  readonly host: Link;
  readonly pod: Link;
}

/**
 * One queue at each end: a veth locks none and spreads nothing over them, but each has a folder in sysfs, and one for
 * every CPU would be half of what making and deleting the pair costs.
 */
const QUEUES = 1;

/** Makes the pair; the host's end is up, the pod's is not. @throws PolderError cni-attached if the pod has such an interface. */
export async function makeVeth(call: PluginCall, pod: PodNetns, wanted: VethWanted, undo: Undo): Promise<Veth> {
  const { netlink, remover } = call.caller;
  const name = hostVethName(call);
  const op = vethOp(call, pod, wanted, name);
  const [failure] = netlink.run([op]);
  if (failure) {
    if (failure.code !== 'EEXIST') throw refusalError(failure);
    refuseTaken(call, pod);
    // Nobody else makes this name: it is what an ADD that was killed has left.
    await remover.remove(name);
    run(netlink, [op]);
  }
  undo.defer(() => remover.remove(name));
  const host = netlink.link(name);
  const inside = pod.netlink.link(call.request.ifname);
  if (!host || !inside)
    throw new PolderError('cni-io', { what: `The interface ${name} went away while it was set up` });
  return { host, pod: inside };
}

/** @throws PolderError cni-attached */
export function refuseTaken({ request }: PluginCall, pod: PodNetns): void {
  if (!pod.netlink.link(request.ifname)) return;
  throw new PolderError('cni-attached', { container: request.containerId, ifname: request.ifname });
}

function vethOp(
  { conf, request }: PluginCall,
  pod: PodNetns,
  { mac, mtu, master }: VethWanted,
  name: string,
): NetlinkOp {
  const size = mtu === undefined ? {} : { mtu };
  return {
    op: 'link.add',
    link: {
      name,
      info: { kind: 'veth' },
      up: true,
      queues: QUEUES,
      // Whose it is, for GC and for people.
      alias: tagOf({ network: conf.name, containerId: request.containerId, ifname: request.ifname }),
      ...size,
      ...(master !== undefined && { master }),
      // Made in the pod at once: moving it there afterwards would cost an RCU wait.
      peer: { name: request.ifname, netns: pod.fd, ...size, ...(mac && { mac }) },
    },
  };
}
