/** An interface that is made directly in the pod's namespace, on one of the host's or on none. */

import { createHash } from 'node:crypto';
import { run } from '#cni/parts/run.ts';
import type { Undo } from '#cni/parts/undo.ts';
import { refuseTaken } from '#cni/parts/veth.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import type { KnownLink, Netlink } from '#kernel/netlink/handle.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { NewLink } from '#wire/netlink/values.ts';

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
  const [failure] = from.run([{ op: 'link.add', link: { ...link, ...place, name: ifname } }], known);
  if (!failure) undo.defer(() => run(pod.netlink, [{ op: 'link.del', name: ifname }], 'ENODEV'));
  else if (failure.code !== 'EEXIST') throw refusalError(failure);
  else {
    refuseTaken(call, pod);
    makeByWayOf(call, pod, { ...link, ...place }, undo, known, from);
  }
}

/** Older kernels make it where its parent is and move it then: what is made at once is refused if that place has one of its name. */
function makeByWayOf(
  call: PluginCall,
  pod: PodNetns,
  link: Omit<NewLink, 'name'>,
  undo: Undo,
  known: readonly KnownLink[],
  from: Netlink,
): void {
  const { containerId, ifname } = call.request;
  const name = `pc${createHash('sha1').update(`${call.conf.name}.${containerId}.${ifname}`).digest('hex').slice(0, 10)}`;
  // What an ADD that was killed between the two steps has left.
  run(pod.netlink, [{ op: 'link.del', name }], 'ENODEV');
  const [failure] = from.run([{ op: 'link.add', link: { ...link, name } }], known);
  if (failure) throw refusalError(failure);
  undo.defer(() => run(pod.netlink, [{ op: 'link.del', name: ifname }], 'ENODEV'));
  undo.defer(() => run(pod.netlink, [{ op: 'link.del', name }], 'ENODEV'));
  run(pod.netlink, [{ op: 'link.set', name, change: { name: ifname } }]);
}
