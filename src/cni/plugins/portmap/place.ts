/** Elements into the table and out of it, each time in one transaction. */

import { changeTable, elementOps, ownedIn, type Placed, placedIn, placeKey } from '#cni/parts/owned-elements.ts';
import { ownerOfCall } from '#cni/parts/owner.ts';
import type { PluginCall } from '#cni/plugin.ts';
import type { PortmapConf } from '#cni/plugins/portmap/conf.ts';
import { concatOf, digestOf } from '#cni/plugins/portmap/elements.ts';
import { forgetStaleUdp } from '#cni/plugins/portmap/stale-udp.ts';
import { baseOps, conditionOps, FAMILIES, mapNames, TABLE } from '#cni/plugins/portmap/table.ts';
import type { Addr } from '#net/addr.ts';
import { PolderError } from '#spec/errors.ts';
import type { NftOp, TableListing } from '#wire/nft/values.ts';

/**
 * @param pod addresses: an element of another container that leads to one of them is left from one that is gone
 * @throws PolderError host-port-taken (CNI code 113) if another container has one of the ports.
 */
export function place(call: PluginCall, conf: PortmapConf, pod: readonly Addr[], placed: readonly Placed[]): void {
  const owner = ownerOfCall(call);
  changeTable(call.caller.nft, TABLE, (have) => {
    const held = placedIn(have);
    const old = held.filter((one) => one.element.comment === owner || leadsTo(one, pod));
    refuseTaken(
      held.filter((one) => !old.includes(one)),
      placed,
    );
    return [
      ...baseOps(),
      ...conditionsFor(have, conf),
      ...elementOps('element.delete', old),
      ...elementOps('element.add', placed),
    ];
  });
  forgetStaleUdp(call, placed);
}

/** Removes all elements whose owner is meant. */
export function removeOwned(call: PluginCall, meant: (owner: string) => boolean): void {
  let removed: Placed[] = [];
  changeTable(call.caller.nft, TABLE, (have) => {
    removed = ownedIn(have, meant);
    return elementOps('element.delete', removed);
  });
  forgetStaleUdp(call, removed);
}

/** The pod's address is the first part of a map's value, the second of a key of the masquerading set. */
function leadsTo({ set, element }: Placed, pod: readonly Addr[]): boolean {
  const parts = concatOf(set.startsWith('masq') ? element.key : element.value);
  const addr = parts[set.startsWith('masq') ? 1 : 0];
  return pod.some((one) => one === addr);
}

function refuseTaken(others: readonly Placed[], placed: readonly Placed[]): void {
  const holders = new Map(others.map((one) => [placeKey(one), one.element.comment]));
  for (const one of placed) {
    const holder = holders.get(placeKey(one));
    if (holder === undefined) continue;
    const port = concatOf(one.element.key).at(-1);
    throw new PolderError('host-port-taken', { port: String(port), holder: holder.split(' ')[1] ?? holder });
  }
}

/** Maps and rules of conditions are made by the first container that has them, and stay. */
function conditionsFor(have: TableListing | undefined, conf: PortmapConf): NftOp[] {
  return FAMILIES.flatMap((family) => {
    const digest = digestOf(conf, family);
    if (digest === '' || have?.sets.some(({ name }) => name === mapNames(family, digest).ports)) return [];
    return conditionOps(family, conf.conditions[family], digest);
  });
}
