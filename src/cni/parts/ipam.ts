/** The plugin of `ipam.type`, called with all of this plugin's configuration (CNI spec 1.1.0, "Plugin delegation"). */

import { type Delegate, delegateAdd, delegateVerb } from '#cni/delegate.ts';
import type { Undo } from '#cni/parts/undo.ts';
import type { PluginCall } from '#cni/plugin.ts';
import { PolderError } from '#spec/errors.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import { optObject, optString } from '#wire/cni/json.ts';
import type { Command } from '#wire/cni/request.ts';
import type { CniResult } from '#wire/cni/result.ts';

/** `ipam.type`; undefined without one: a layer-2 attachment. @throws PolderError cni-config */
export function ipamOf(conf: NetConf): Delegate | undefined {
  const ipam = optObject(conf.raw, 'ipam', '');
  const type = ipam && optString(ipam, 'type', 'ipam.');
  return type ? { type } : undefined;
}

/** @throws PolderError cni-config unless there is `ipam.type`. */
export function needIpam(conf: NetConf): Delegate {
  const ipam = ipamOf(conf);
  if (ipam) return ipam;
  throw new PolderError('cni-config', { what: `ipam.type is missing: ${conf.type} needs addresses` });
}

/** Addresses of the pod, which are given back if ADD fails. @throws PolderError also if there are none. */
export async function ipamAdd(call: PluginCall, ipam: Delegate, undo: Undo): Promise<CniResult> {
  // Also what failed halfway is to be given back.
  undo.defer(() => delegateVerb(call, ipam, 'DEL'));
  const result = await delegateAdd(call, ipam);
  if (result.ips.length > 0) return result;
  const what = 'the result has no address';
  throw new PolderError('cni-plugin-failed', { plugin: ipam.type, command: 'ADD', what });
}

/** Passes the verb on, if there is an IPAM plugin. */
export async function ipamVerb(call: PluginCall, command: Exclude<Command, 'ADD' | 'VERSION'>): Promise<void> {
  const ipam = ipamOf(call.conf);
  if (ipam) await delegateVerb(call, ipam, command);
}

/**
 * DEL and GC: first what the plugin itself made, then the addresses, so that none is given to another pod while it still
 * works here. A lease of DHCP is given back by way of the interface, so it goes before.
 */
export async function removeThenFree(
  call: PluginCall,
  command: 'DEL' | 'GC',
  remove: () => Promise<void>,
): Promise<void> {
  const first = ipamOf(call.conf)?.type === 'dhcp';
  try {
    if (first) await ipamVerb(call, command);
  } finally {
    await remove();
  }
  if (!first) await ipamVerb(call, command);
}

/** `dns` of the plugin's own configuration goes before that of its IPAM plugin. */
export function dnsOver(conf: NetConf, result: CniResult): CniResult['dns'] {
  const { nameservers, search, options, domain } = conf.dns;
  return nameservers?.length || search?.length || options?.length || domain ? conf.dns : result.dns;
}
