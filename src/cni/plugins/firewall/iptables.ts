/**
 * Chains of iptables (in its nftables form) that others have closed: an accept of ours does not count there, as a packet
 * must pass every chain. So one rule goes in front that lets pass what bears our mark.
 */

import { isDeepStrictEqual } from 'node:util';
import type { PluginCall } from '#cni/plugin.ts';
import { OPENING } from '#cni/plugins/firewall/table.ts';
import type { KernelNft } from '#kernel/nft/nft.ts';
import { readListing } from '#wire/nft/read-listing.ts';
import { nftRefusalError } from '#wire/nft/refusal.ts';
import type { ListedChain, TableRef } from '#wire/nft/values.ts';

const TABLES: readonly TableRef[] = [
  { family: 'ip', name: 'filter' },
  { family: 'ip6', name: 'filter' },
];
const CHAIN = 'FORWARD';

/** @throws PolderError kernel-refused */
export function openIptables({ caller }: PluginCall): void {
  for (const table of closedTables(caller.nft)) {
    const failure = caller.nft.apply(table, [{ op: 'rule.insert', chain: CHAIN, rule: { expr: OPENING } }]);
    if (failure) throw nftRefusalError(table, failure);
  }
}

export function iptablesDifferences({ caller }: PluginCall): string[] {
  return closedTables(caller.nft).map(({ family }) => `${family} filter ${CHAIN} does not let pods' packets pass`);
}

/** Those that are there and have no such rule. */
function closedTables(nft: KernelNft): TableRef[] {
  return TABLES.filter((table) => {
    const chain = forwardChain(nft, table);
    return chain?.base !== undefined && !chain.rules.some(({ expr }) => isOpening(expr));
  });
}

/** Only the one chain: the table may have thousands of rules. */
function forwardChain(nft: KernelNft, { family, name }: TableRef): ListedChain | undefined {
  const run = nft.run(`list chain ${family} ${name} ${CHAIN}`, { json: true });
  if (!run.ok) return undefined;
  // A chain's listing does not say the table.
  const { nftables } = JSON.parse(run.output);
  const listing = readListing(JSON.stringify({ nftables: [{ table: { family, name } }, ...nftables] }));
  return listing?.chains.find((chain) => chain.name === CHAIN);
}

/** Without the counter, which counts. */
function isOpening(expr: readonly unknown[]): boolean {
  return expr.length === OPENING.length && isDeepStrictEqual([expr[0], expr[2]], [OPENING[0], OPENING[2]]);
}
