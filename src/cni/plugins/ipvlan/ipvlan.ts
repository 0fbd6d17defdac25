/** The CNI plugin `ipvlan`: see README.md of this folder. */

import { fittingMtu, masterOf, needMaster } from '#cni/parts/master.ts';
import { singlePlugin } from '#cni/parts/single.ts';
import { makeInPod } from '#cni/parts/stacked.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { optString, wrong } from '#wire/cni/json.ts';
import type { IpvlanMode, Link } from '#wire/netlink/values.ts';

const MODES: readonly IpvlanMode[] = ['l2', 'l3', 'l3s'];

export const ipvlan = singlePlugin({
  type: 'ipvlan',
  kind: 'ipvlan',
  make(call, pod, undo) {
    const info = { kind: 'ipvlan', mode: readMode(call), flag: 'bridge' } as const;
    const master = masterOf(call, pod, masterOfChain(call));
    const mtu = fittingMtu(call, master);
    const link = { info, ...(mtu !== undefined && { mtu }) };
    makeInPod(call, pod, link, undo, master.link, master.netlink);
  },
  status(call) {
    readMode(call);
    needMaster(call);
  },
  differences,
  given: ({ conf }) => (conf.prevResult?.ips.length ? conf.prevResult : undefined),
});

/** A plugin before may have made the interface to stand on. */
function masterOfChain({ conf }: PluginCall): string | undefined {
  return conf.prevResult?.interfaces[0]?.name;
}

function readMode({ conf }: PluginCall): IpvlanMode {
  const text = optString(conf.raw, 'mode', '') || 'l2';
  return MODES.find((mode) => mode === text) ?? wrong('mode', `must be one of ${MODES.join(', ')}`, text);
}

function differences(call: PluginCall, { name, info, parent }: Link, pod: PodNetns): string[] {
  const wanted = readMode(call);
  const found =
    info.kind === 'ipvlan' && info.mode !== wanted ? [`${name} is in mode ${info.mode}, not ${wanted}`] : [];
  // At CHECK prevResult is the whole chain's: it does not say any more what came before.
  if (!optString(call.conf.raw, 'master', '')) return found;
  const master = masterOf(call, pod);
  return parent === master.link.index ? found : [...found, `${name} does not stand on ${master.link.name}`];
}
