/** The CNI plugin `host-device`: see README.md of this folder. */

import { removeThenFree } from '#cni/parts/ipam.ts';
import { openPodIfThere } from '#cni/parts/pod-if-there.ts';
import { run } from '#cni/parts/run.ts';
import { singlePlugin } from '#cni/parts/single.ts';
import type { Undo } from '#cni/parts/undo.ts';
import { refuseTaken } from '#cni/parts/veth.ts';
import type { Plugin, PluginCall, PodNetns } from '#cni/plugin.ts';
import { findDevice } from '#cni/plugins/host-device/find.ts';
import { badIfname } from '#wire/cni/names.ts';
import { refusalError } from '#wire/netlink/refusal.ts';

export const hostDevice: Plugin = {
  ...singlePlugin({
    type: 'host-device',
    make: moveIn,
    // In a pod it cannot be found here, and is in use as it shall be.
    status: () => {},
    differences: (_, { name, alias }) => (alias ? [] : [`${name} has no alias: it is no device of the host`]),
  }),
  del,
};

/** Its name on the host becomes its alias: where DEL, also that of the reference plugin, finds it. */
function moveIn(call: PluginCall, pod: PodNetns, undo: Undo): void {
  const { netlink } = call.caller;
  refuseTaken(call, pod);
  const { name } = findDevice(call);
  run(netlink, [{ op: 'link.set', name, change: { alias: name } }]);
  undo.defer(() => moveOut(call, pod));
  run(netlink, [{ op: 'link.set', name, change: { netns: pod.fd, name: call.request.ifname } }]);
}

/** The kernel finds a name that is free. */
const ANY_NAME = 'dev%d';

/** Back to the host under its name there; one without an alias is none of ours. */
function moveOut(call: PluginCall, pod: PodNetns): void {
  const name = call.request.ifname;
  const alias = pod.netlink.find(name)?.alias;
  if (!alias) return;
  // The pod may have changed it to what can be no name.
  const back = badIfname(alias) === undefined && !alias.includes('%') ? alias : ANY_NAME;
  // Who moves is set down by the kernel: to do so before would only wait for RCU twice.
  const [failure] = pod.netlink.run([{ op: 'link.set', name, change: { netns: call.caller.fd, name: back } }]);
  if (!failure) forget(call, alias);
  else if (failure.code !== 'EEXIST') throw refusalError(failure);
  // It is back all the same.
  else call.host.log.warn({ device: alias }, 'a device came back to the host under another name: its own is taken');
}

/** It is as it was. An alias that somebody else had given it is lost, as with the reference plugin. */
function forget({ caller: { netlink } }: PluginCall, alias: string): void {
  const name =
    netlink.find(alias)?.alias === alias ? alias : netlink.links().find((link) => link.alias === alias)?.name;
  if (name !== undefined) run(netlink, [{ op: 'link.set', name, change: { alias: '' } }]);
}

async function del(call: PluginCall): Promise<void> {
  await removeThenFree(call, 'DEL', async () => {
    using pod = openPodIfThere(call);
    if (pod) moveOut(call, pod);
  });
}
