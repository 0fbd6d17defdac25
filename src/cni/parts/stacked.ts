/** An interface that is made directly in the pod's namespace, on one of the host's or on none. */

import { hash } from 'node:crypto';
import { run } from '#cni/parts/run.ts';
import type { Undo } from '#cni/parts/undo.ts';
import { refuseTaken } from '#cni/parts/veth.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import type { KnownLink, Netlink } from '#kernel/netlink/handle.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { NetlinkOp, NewLink } from '#wire/netlink/values.ts';

type Stacked = Omit<NewLink, 'name' | 'netns' | 'parent'>;

/**
 * @param on the interface that it stands on, if it stands on one
 * @param from where that is
 * @throws PolderError cni-attached if the pod has such an interface
 */
export function makeInPod(
  call: PluginCall,
  pod: PodNetns,
  link: Stacked,
  undo: Undo,
  on: KnownLink | undefined,
  from: Netlink,
): void {
  const { ifname } = call.request;
  const place = { ...(on && { parent: on.name }), ...(from !== pod.netlink && { netns: pod.fd }) };
  const known = on ? [on] : [];
  if (!takenOnHosts.has(ifname)) {
    const [failure] = from.run([{ op: 'link.add', link: { ...link, ...place, name: ifname } }], known);
    if (!failure) return void undo.defer(() => run(pod.netlink, [{ op: 'link.del', name: ifname }], 'ENODEV'));
    if (failure.code !== 'EEXIST') throw refusalError(failure);
    refuseTaken(call, pod);
    takenOnHosts.add(ifname);
  }
  makeByWayOf(call, pod, { ...link, ...place }, undo, known, from);
}

/**
 * Names that an interface of a host has: the kernel looks for them there, too, and refuses what is made in the pod at
 * once. A host's `eth0` does not go away: it is not tried again.
 */
const takenOnHosts = new Set<string>();

/** Made under a name of its own, and then renamed. */
function makeByWayOf(
  call: PluginCall,
  pod: PodNetns,
  link: Omit<NewLink, 'name'>,
  undo: Undo,
  known: readonly KnownLink[],
  from: Netlink,
): void {
  const { containerId, ifname } = call.request;
  const name = `pc${hash('sha1', `${call.conf.name}.${containerId}.${ifname}`).slice(0, 10)}`;
  const make: NetlinkOp = { op: 'link.add', link: { ...link, name } };
  const [failure] = from.run([make], known);
  if (failure && failure.code !== 'EEXIST') throw refusalError(failure);
  if (failure) {
    // What an ADD that was killed between the two steps has left.
    run(pod.netlink, [{ op: 'link.del', name }], 'ENODEV');
    run(from, [make]);
  }
  undo.defer(() => run(pod.netlink, [{ op: 'link.del', name }], 'ENODEV'));
  const [refused] = pod.netlink.run([{ op: 'link.set', name, change: { name: ifname } }]);
  if (refused?.code === 'EEXIST') refuseTaken(call, pod);
  if (refused) throw refusalError(refused);
  undo.defer(() => run(pod.netlink, [{ op: 'link.del', name: ifname }], 'ENODEV'));
}
