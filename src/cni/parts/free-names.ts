/**
 * Plugins that call other plugins undo by DEL, which takes away whatever has the interface's name: so nothing is begun
 * while something has it.
 */

import { refuseTaken } from '#cni/parts/veth.ts';
import type { PluginCall } from '#cni/plugin.ts';

/** @throws PolderError cni-attached; cni-netns */
export function needFreeNames(call: PluginCall, ifnames: readonly string[]): void {
  using pod = call.caller.openPod(call.request.netns);
  for (const ifname of ifnames) refuseTaken(call, pod, ifname);
}
