/** The CNI plugin `polder`: see README.md of this folder. */

import type { Plugin, PluginCall } from '#cni/plugin.ts';
import { add } from '#cni/plugins/polder/add.ts';
import { check } from '#cni/plugins/polder/check.ts';
import { del, gc } from '#cni/plugins/polder/del.ts';
import { PolderError } from '#spec/errors.ts';

export const polder: Plugin = { type: 'polder', add, del, check, status, gc };

/** @throws PolderError cni-not-available (CNI code 50) when an ADD could not be served now, and why. */
async function status(call: PluginCall): Promise<void> {
  const network = call.host.nodeNetwork();
  if (!network || (network.ipam !== 'pools' && network.podCidrs.length === 0)) {
    throw new PolderError('cni-not-available', { what: 'The node has no pod CIDR yet' });
  }
  const { addresses, store } = call.host;
  for (const source of addresses.sources(network)) {
    if (store.freeIn(source) <= 0)
      throw new PolderError('cni-not-available', { what: `No free address in ${source.label}` });
  }
}
