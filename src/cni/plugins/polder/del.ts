/** DEL and GC: take the attachment down and free its addresses. Neither needs the pod's namespace, prevResult or the API. */

import { keyOf } from '#cni/ipam/record.ts';
import type { PluginCall } from '#cni/plugin.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';

export async function del(call: PluginCall): Promise<void> {
  const { containerId, ifname } = call.request;
  const endpoint = call.host.store.find(keyOf({ network: call.conf.name, containerId, ifname }));
  if (endpoint) await removeEndpoint(call, endpoint);
}

/**
 * First the agent stops to program it, then the kernel's objects go, then the addresses are free: whenever this is
 * cut short, the journal still has it, and the next DEL or GC goes on.
 */
export async function removeEndpoint(call: PluginCall, endpoint: LocalEndpoint): Promise<void> {
  call.host.store.hide(keyOf(endpoint));
  await call.caller.remover.remove(endpoint.hostIfname);
  call.host.store.free(keyOf(endpoint));
}

/** Everything of this network that the runtime does not name as valid. */
export async function gc(call: PluginCall): Promise<void> {
  const valid = new Set((call.conf.validAttachments ?? []).map((a) => `${a.containerID}/${a.ifname}`));
  const stale = call.host.store
    .all()
    .filter((e) => e.network === call.conf.name && !valid.has(`${e.containerId}/${e.ifname}`));
  await Promise.all(stale.map((endpoint) => removeEndpoint(call, endpoint)));
}
