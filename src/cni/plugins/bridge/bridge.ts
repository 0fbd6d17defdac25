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

export const bridge: Plugin = { type: 'bridge', add, del, check, status, gc };

async function del(call: PluginCall): Promise<void> {
  const conf = readBridgeConf(call);
  await removeThenFree(call, 'DEL', async () => {
    await removeVeth(call);
    if (conf.macspoofchk) unbindMac(call);
    if (conf.ipMasq) unmasqueradePod(call);
  });
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
  const conf = readBridgeConf(call);
  await removeThenFree(call, 'GC', async () => {
    await removeStaleVeths(call);
    if (conf.macspoofchk) unbindStale(call);
    if (conf.ipMasq) unmasqueradeStale(call);
  });
}
