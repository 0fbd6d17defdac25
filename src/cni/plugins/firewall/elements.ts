/** What a pod is in the table. */

import type { Placed } from '#cni/parts/owned-elements.ts';
import { BRIDGES, guarded, home, isolated, pods } from '#cni/plugins/firewall/table.ts';
import { addrOf, type IfAddr, prefixFamily } from '#net/prefix.ts';

/** The node's end of a pod's veth, on a bridge. */
export interface Port {
  readonly name: string;
  readonly bridge: string;
}

/** @param bridge which alone may reach the pod; absent: everybody may */
export function elementsOf(
  ips: readonly IfAddr[],
  owner: string,
  bridge: string | undefined,
  alone: boolean,
): Placed[] {
  const own = ips.flatMap((address): Placed[] => {
    const family = prefixFamily(address);
    const addr = addrOf(address);
    const sets = [pods(family), ...(bridge ? [guarded(family)] : []), ...(alone ? [isolated(family)] : [])];
    return [
      ...sets.map((set) => ({ set, element: { key: addr, comment: owner } })),
      ...(bridge ? [{ set: home(family), element: { key: { concat: [addr, bridge] }, comment: owner } }] : []),
    ];
  });
  return bridge && own.length > 0 ? [...own, { set: BRIDGES, element: { key: bridge } }] : own;
}
