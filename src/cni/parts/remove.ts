/** Taking a pod's interface away: succeeds if the interface, the namespace or both are gone. */

import { LinkRemover } from '#cni/link-remover.ts';
import { openPodIfThere } from '#cni/parts/pod-if-there.ts';
import { staleTags } from '#cni/parts/tag.ts';
import { kindOf } from '#cni/parts/verify.ts';
import { hostVethName } from '#cni/parts/veth.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import type { Link } from '#wire/netlink/values.ts';

/** A veth, by its end here: by our name for it, or (made by another plugin) as the peer of what the pod has. */
export async function removeVeth(call: PluginCall): Promise<void> {
  const { netlink, remover } = call.caller;
  const own = hostVethName(call);
  if (netlink.find(own)) return remover.remove(own);
  using pod = openPodIfThere(call);
  const inside = pod?.netlink.link(call.request.ifname);
  if (!pod || !inside) return;
  const host = netlink
    .links()
    .find(({ index, parent, info }) => info.kind === 'veth' && index === inside.parent && parent === inside.index);
  const isVeth = inside.info.kind === 'veth' && host !== undefined;
  if (lent(inside) && !(isVeth && REFERENCE_VETH.test(host.name))) return;
  if (isVeth) await remover.remove(host.name);
  else await removeInside(pod, call.request.ifname);
}

/** How the reference plugins name the ends here of what they make. */
const REFERENCE_VETH = /^veth[0-9a-f]{8}$/;

/** An interface of the pod that has no end here. */
export async function removeInside(pod: PodNetns, ifname: string): Promise<void> {
  using remover = new LinkRemover(() => openNetlink(pod.fd));
  await remover.remove(ifname);
}

/** The same, of the pod that the call names. @param kind that the plugin makes */
export async function removeFromPod(call: PluginCall, kind: string | undefined): Promise<void> {
  using pod = openPodIfThere(call);
  const inside = pod?.netlink.link(call.request.ifname);
  if (pod && inside && (kindOf(inside) === kind || !lent(inside))) await removeInside(pod, call.request.ifname);
}

/**
 * A device of the host that `host-device` moved here: it has its name there as alias, and is to go back. Whoever may
 * change interfaces in the pod can say so of any: it counts only for what the plugin would not have made.
 */
function lent({ alias }: Pick<Link, 'alias'>): boolean {
  return alias !== undefined && alias !== '';
}

/** GC: the host's ends of attachments of this network that are not valid any more. */
export async function removeStaleVeths({ caller, conf }: PluginCall): Promise<void> {
  const stale = staleTags(conf);
  const names = caller.netlink.links().filter(({ alias }) => stale(alias));
  await Promise.all(names.map(({ name }) => caller.remover.remove(name)));
}
