/** Which networks lead to which node, by the blocks. */

import { hostPrefix, type Prefix } from '#net/prefix.ts';
import { addrAt, type Block } from '#spec/block.ts';

/** By node: its blocks, and what it has of blocks that are not its own, address by address. Sorted by block. */
export function networksOf(blocks: readonly Block[]): Map<string, Prefix[]> {
  const networks = new Map<string, Prefix[]>();
  const add = (node: string, network: Prefix) => networks.set(node, [...(networks.get(node) ?? []), network]);
  for (const { cidr, owner, given } of [...blocks].sort((a, b) => (a.cidr < b.cidr ? -1 : 1))) {
    if (owner !== undefined) add(owner, cidr);
    for (const [place, { node }] of [...given].sort(([a], [b]) => a - b)) {
      if (node !== '' && node !== owner) add(node, hostPrefix(addrAt(cidr, place)));
    }
  }
  return networks;
}
