/** An interface that is made directly in the pod's namespace, on one of the host's or on none. */

import { createHash } from 'node:crypto';
import { run } from '#cni/parts/run.ts';
import type { Undo } from '#cni/parts/undo.ts';
import { refuseTaken } from '#cni/parts/veth.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import type { NewLink } from '#wire/netlink/values.ts';

/** Made, moved and named at once would be refused by older kernels if the host has an interface of the pod's name. */
export function makeInPod(
  call: PluginCall,
  pod: PodNetns,
  link: Omit<NewLink, 'name' | 'netns'>,
  undo: Undo,
  from: Netlink = call.caller.netlink,
): void {
  const { containerId, ifname } = call.request;
  refuseTaken(call, pod);
  const name = `pc${createHash('sha1').update(`${call.conf.name}.${containerId}.${ifname}`).digest('hex').slice(0, 10)}`;
  // What an ADD that was killed between the two steps has left.
  run(pod.netlink, [{ op: 'link.del', name }], 'ENODEV');
  run(from, [{ op: 'link.add', link: { ...link, name, ...(from !== pod.netlink && { netns: pod.fd }) } }]);
  undo.defer(() => run(pod.netlink, [{ op: 'link.del', name: ifname }], 'ENODEV'));
  undo.defer(() => run(pod.netlink, [{ op: 'link.del', name }], 'ENODEV'));
  run(pod.netlink, [{ op: 'link.set', name, change: { name: ifname } }]);
}
