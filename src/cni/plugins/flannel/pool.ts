/**
 * Where the node's subnet is the agent's own pool, its addresses are given by the agent alone: host-local would not
 * know of those that pods got from the plugin `polder`, nor the other way round.
 */

import { type EndpointKey, keyOf } from '#cni/ipam/record.ts';
import { cidrSource } from '#cni/ipam/source.ts';
import { askedAddrs } from '#cni/parts/asked.ts';
import type { PluginCall } from '#cni/plugin.ts';
import { hostIfnames, podMac } from '#cni/plugins/polder/names.ts';
import type { Addr } from '#net/addr.ts';
import type { SubnetEnv } from '#wire/cni/subnet-env.ts';

const NO_INTERFACE = 'none';

/** True if the agent gives addresses of these subnets itself. */
export function agentOwns({ host }: PluginCall, env: SubnetEnv): boolean {
  const own = host.nodeNetwork()?.podCidrs ?? [];
  return env.subnets.some((subnet) => own.includes(subnet));
}

function keyFor({ conf, request }: PluginCall): EndpointKey {
  return keyOf({ network: conf.name, containerId: request.containerId, ifname: request.ifname });
}

/** Takes an address of each subnet. @throws PolderError addresses-exhausted, address-outside, address-taken */
export function take(call: PluginCall, env: SubnetEnv): readonly Addr[] {
  const { request, conf, host } = call;
  // What a killed agent left half done.
  host.store.free(keyFor(call));
  const endpoint = host.store.allocate({
    sources: env.subnets.map(cidrSource),
    wanted: askedAddrs(conf, request),
    make: (addrs) => ({
      containerId: request.containerId,
      ifname: request.ifname,
      network: conf.name,
      attachment: 'bridge',
      // No interface has this name: the delegate makes its own, and the agent has nothing to program for it.
      hostIfname: hostIfnames(NO_INTERFACE, request).at(-1) ?? NO_INTERFACE,
      addrs,
      mac: podMac(addrs, request),
    }),
  });
  return endpoint.addrs;
}

/** The delegate is done: the addresses stay taken, also when the agent starts anew, but nobody programs them. */
export function keep(call: PluginCall): void {
  call.host.store.up(keyFor(call));
  call.host.store.hide(keyFor(call));
}

export function giveBack(call: PluginCall): void {
  if (call.host.nodeNetwork()) call.host.store.free(keyFor(call));
}

export function giveBackAllBut(call: PluginCall, valid: ReadonlySet<string>): void {
  if (!call.host.nodeNetwork()) return;
  const { store } = call.host;
  const stale = store.all().filter((e) => e.network === call.conf.name && !valid.has(`${e.containerId}/${e.ifname}`));
  for (const endpoint of stale) store.free(keyOf(endpoint));
}
