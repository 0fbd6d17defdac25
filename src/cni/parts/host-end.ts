/** The node's end of a pod's veth. */

import type { PluginCall } from '#cni/plugin.ts';
import type { Link } from '#wire/netlink/values.ts';

/** Undefined if CNI_IFNAME is no veth, or its other end is not in the caller's namespace. @throws PolderError cni-netns */
export function hostEndOf({ caller, request }: PluginCall): Link | undefined {
  using pod = caller.openPod(request.netns);
  const inner = pod.netlink.link(request.ifname);
  if (inner?.info.kind !== 'veth') return undefined;
  return caller.netlink
    .links()
    .find(({ index, parent, info }) => info.kind === 'veth' && index === inner.parent && parent === inner.index);
}
