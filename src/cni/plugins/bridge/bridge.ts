/** The CNI plugin `bridge`: see README.md of this folder. */

import { ipamVerb, removeThenFree } from '#cni/parts/ipam.ts';
import { unbindMac, unbindStale } from '#cni/parts/mac-spoof.ts';
import { unmasqueradePod, unmasqueradeStale } from '#cni/parts/masquerade.ts';
import { removeStaleVeths, removeVeth } from '#cni/parts/remove.ts';
import type { Plugin, PluginCall } from '#cni/plugin.ts';
import { add } from '#cni/plugins/bridge/add.ts';
import { check } from '#cni/plugins/bridge/check.ts';
import { readBridgeConf } from '#cni/plugins/bridge/conf.ts';
import { PolderError } from '#spec/errors.ts';
import { lookup } from '#wire/cni/json.ts';

export const bridge: Plugin = { type: 'bridge', add, del, check, status, gc };

async function del(call: PluginCall): Promise<void> {
  await removeThenFree(call, 'DEL', async () => {
    await removeVeth(call);
    if (asks(call, 'macspoofchk')) unbindMac(call);
    if (asks(call, 'ipMasq')) unmasqueradePod(call);
  });
}

/** What else the configuration says matters to ADD only: wrong as it may be, what was made can be removed. */
function asks({ conf }: PluginCall, key: 'macspoofchk' | 'ipMasq'): boolean {
  return lookup(conf.raw, key) === true;
}

/** @throws PolderError cni-not-available if there is something else by the bridge's name, or what the IPAM plugin says. */
async function status(call: PluginCall): Promise<void> {
  const conf = readBridgeConf(call);
  const link = call.caller.netlink.link(conf.bridge);
  if (link && link.info.kind !== 'bridge') {
    throw new PolderError('cni-not-available', { what: `The interface ${conf.bridge} is no bridge` });
  }
  await ipamVerb(call, 'STATUS');
}

async function gc(call: PluginCall): Promise<void> {
  await removeThenFree(call, 'GC', async () => {
    await removeStaleVeths(call);
    if (asks(call, 'macspoofchk')) unbindStale(call);
    if (asks(call, 'ipMasq')) unmasqueradeStale(call);
  });
}
