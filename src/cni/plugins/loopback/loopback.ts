/** The CNI plugin `loopback`: see README.md of this folder. */

import { openPodIfThere } from '#cni/parts/pod-if-there.ts';
import { run } from '#cni/parts/run.ts';
import { refuseDifferences } from '#cni/parts/verify.ts';
import type { Plugin, PluginCall, PodNetns } from '#cni/plugin.ts';
import { firstAddr, networkOf, parseIfAddr, parsePrefix, prefixFamily } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import type { CniResult } from '#wire/cni/result.ts';
import type { Address } from '#wire/netlink/values.ts';

/** Whatever CNI_IFNAME says. Its index is the same in every namespace (LOOPBACK_IFINDEX of the kernel's net/flow.h). */
const LO = 'lo';
const LO_INDEX = 1;

const V4 = firstAddr(parsePrefix('127.0.0.0/8'));
const V6 = parseIfAddr('::1/128');

export const loopback: Plugin = { type: 'loopback', add, del, check, status: async () => {}, gc: async () => {} };

async function add(call: PluginCall): Promise<CniResult> {
  using pod = call.caller.openPod(call.request.netns);
  run(pod.netlink, [{ op: 'link.set', name: LO, change: { up: true } }]);
  const addresses = pod.netlink.addresses({ name: LO, index: LO_INDEX });
  const stranger = addresses.find((address) => !isLoopback(address));
  if (stranger)
    throw new PolderError('cni-netns', { path: pod.path, what: `its lo has the address ${stranger.address}` });
  return call.conf.prevResult ?? resultOf(pod, addresses);
}

function isLoopback({ address }: Address): boolean {
  return prefixFamily(address) === 4 ? firstAddr(networkOf(address)) === V4 : address === V6;
}

function resultOf(pod: PodNetns, addresses: readonly Address[]): CniResult {
  return {
    interfaces: [{ name: LO, mac: '00:00:00:00:00:00', sandbox: pod.path }],
    ips: addresses.map(({ address }) => ({ address, interface: 0 })),
    routes: [],
    dns: {},
  };
}

async function del(call: PluginCall): Promise<void> {
  using pod = openPodIfThere(call);
  if (pod) run(pod.netlink, [{ op: 'link.set', name: LO, change: { up: false } }]);
}

async function check(call: PluginCall): Promise<void> {
  using pod = call.caller.openPod(call.request.netns);
  refuseDifferences(call, pod.netlink.link(LO)?.up ? [] : ['lo is down']);
}
