/** The CNI plugin `macvlan`: see README.md of this folder. */

import { askedMac } from '#cni/parts/asked.ts';
import { fittingMtu, masterOf, needMaster } from '#cni/parts/master.ts';
import { singlePlugin } from '#cni/parts/single.ts';
import { makeInPod } from '#cni/parts/stacked.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { optString, optUint, wrong } from '#wire/cni/json.ts';
import type { Link, LinkInfo, MacvlanMode } from '#wire/netlink/values.ts';

const MODES: readonly MacvlanMode[] = ['bridge', 'private', 'vepa', 'passthru'];

export const macvlan = singlePlugin({
  type: 'macvlan',
  kind: 'macvlan',
  make(call, pod, undo) {
    const info = infoOf(call);
    const mac = askedMac(call.conf, call.request);
    const master = masterOf(call, pod);
    const mtu = fittingMtu(call, master);
    const link = { info, ...(mtu !== undefined && { mtu }), ...(mac && { mac }) };
    makeInPod(call, pod, link, undo, master.link, master.netlink);
  },
  status(call) {
    infoOf(call);
    needMaster(call);
  },
  differences,
});

function infoOf({ conf }: PluginCall): LinkInfo {
  const bcQueueLen = optUint(conf.raw, 'bcqueuelen', '');
  return { kind: 'macvlan', mode: readMode(conf.raw), ...(bcQueueLen && { bcQueueLen }) };
}

function readMode(raw: PluginCall['conf']['raw']): MacvlanMode {
  const text = optString(raw, 'mode', '') || 'bridge';
  return MODES.find((mode) => mode === text) ?? wrong('mode', `must be one of ${MODES.join(', ')}`, text);
}

function differences(call: PluginCall, { name, info, parent }: Link, pod: PodNetns): string[] {
  const wanted = readMode(call.conf.raw);
  const master = masterOf(call, pod);
  return [
    ...(info.kind === 'macvlan' && info.mode !== wanted ? [`${name} is in mode ${info.mode}, not ${wanted}`] : []),
    ...(parent === master.link.index ? [] : [`${name} does not stand on ${master.link.name}`]),
  ];
}
