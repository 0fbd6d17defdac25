/** Elements of an nftables table that bear their owner as a comment: into the table and out of it, in one transaction. */

import type { KernelNft } from '#kernel/nft/nft.ts';
import { nftRefusalError } from '#wire/nft/refusal.ts';
import type { Element, NftOp, TableListing, TableRef } from '#wire/nft/values.ts';

/** One element, and where it belongs. */
export interface Placed {
  readonly set: string;
  readonly element: Element;
}

/** Without an agent another process may change the table between our reading and writing it. */
const ATTEMPTS = 5;
const CHANGED = /No such file or directory|File exists/;

/**
 * Reads the table, lets `plan` say what to do, does it; again if the table had changed meanwhile.
 * @throws PolderError kernel-refused, kernel-feature-missing
 */
export function changeTable(
  nft: KernelNft,
  table: TableRef,
  plan: (have: TableListing | undefined) => readonly NftOp[],
): void {
  for (let left = ATTEMPTS; ; left--) {
    const failure = nft.apply(table, plan(nft.list(table)));
    if (!failure) return;
    if (left === 1 || !CHANGED.test(failure.text)) throw nftRefusalError(table, failure);
  }
}

export function placedIn(have: TableListing | undefined): Placed[] {
  return (have?.sets ?? []).flatMap(({ name, elements }) => elements.map((element) => ({ set: name, element })));
}

/** Those whose owner is meant. */
export function ownedIn(have: TableListing | undefined, meant: (owner: string) => boolean): Placed[] {
  return placedIn(have).filter(({ element }) => element.comment !== undefined && meant(element.comment));
}

/** What makes two elements the same one. */
export function placeKey({ set, element }: Placed): string {
  return `${set} ${JSON.stringify(element.key)}`;
}

export function elementOps(op: 'element.add' | 'element.delete', placed: readonly Placed[]): NftOp[] {
  return [...Map.groupBy(placed, ({ set }) => set)].map(([set, ones]) => ({
    op,
    set,
    elements: ones.map(({ element }) => (op === 'element.add' ? element : { key: element.key })),
  }));
}
