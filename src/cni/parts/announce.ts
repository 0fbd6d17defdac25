/** Telling a bridge's other pods and the node who has an address now: they may have known its last holder. */

import { setTimeout as pause } from 'node:timers/promises';
import { runOn } from '#cni/parts/run.ts';
import type { Veth } from '#cni/parts/veth.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';

/** The kernel opens a port within a millisecond of its carrier; one that it leaves closed is not waited for longer. */
const PATIENCE_MS = 500;
const LOOK_MS = 1;

/**
 * What the pod's interface said when it came up went nowhere if the kernel had not yet opened the bridge's port (it
 * notices a carrier on its own time, `net/core/link_watch.c`). So it says it again: an interface that is to tell its
 * addresses (`arp_notify`, `ndisc_notify`) does so too when its hardware address is set.
 */
export async function announceOnBridge(call: PluginCall, pod: PodNetns, veth: Veth): Promise<void> {
  const { netlink } = call.caller;
  const until = performance.now() + PATIENCE_MS;
  while (netlink.isRunning(veth.host.name) === false && performance.now() < until) await pause(LOOK_MS);
  const { name, mac } = veth.pod;
  runOn(pod.netlink, name, [{ op: 'link.set', name, change: { mac } }]);
}
