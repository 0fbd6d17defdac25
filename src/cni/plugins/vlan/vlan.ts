/** The CNI plugin `vlan`: see README.md of this folder. */

import { fittingMtu, masterOf, needMaster } from '#cni/parts/master.ts';
import { singlePlugin } from '#cni/parts/single.ts';
import { makeInPod } from '#cni/parts/stacked.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { optString, optUint, wrong } from '#wire/cni/json.ts';
import type { Link } from '#wire/netlink/values.ts';

export const vlan = singlePlugin({
  type: 'vlan',
  kind: 'vlan',
  make(call, pod, undo) {
    const info = { kind: 'vlan', id: readId(call), protocol: '802.1q' } as const;
    const master = masterOf(call, pod);
    const mtu = fittingMtu(call, master);
    const link = { info, ...(mtu !== undefined && { mtu }) };
    makeInPod(call, pod, link, undo, master.link, master.netlink);
  },
  status(call) {
    readId(call);
    needMaster(call);
  },
  differences,
});

/** IEEE 802.1Q: 4095 is reserved. */
const LAST_ID = 4094;

function readId({ conf }: PluginCall): number {
  if (!optString(conf.raw, 'master', '')) wrong('master', 'must be an interface’s name', undefined);
  const id = optUint(conf.raw, 'vlanId', '') ?? 0;
  return id <= LAST_ID ? id : wrong('vlanId', `must be from 0 to ${LAST_ID}`, id);
}

function differences(call: PluginCall, { name, info, parent }: Link, pod: PodNetns): string[] {
  const id = readId(call);
  const master = masterOf(call, pod);
  return [
    ...(info.kind === 'vlan' && info.id !== id ? [`${name} has VLAN ${info.id}, not ${id}`] : []),
    ...(parent === master.link.index ? [] : [`${name} does not stand on ${master.link.name}`]),
  ];
}
