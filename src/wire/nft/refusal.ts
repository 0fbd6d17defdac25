/** A refused transaction as an error for people. */

import { PolderError } from '#spec/errors.ts';
import { printNftOp } from '#wire/nft/print.ts';
import type { NftOp, TableRef } from '#wire/nft/values.ts';

export interface NftRefusal {
  readonly text: string;
  readonly errors: readonly { readonly op?: NftOp; readonly message: string; readonly missing?: string }[];
}

/** Of the first error: `kernel-feature-missing` with the feature, or `kernel-refused` with nft's line. */
export function nftRefusalError(table: TableRef, { text, errors: [first] }: NftRefusal): PolderError {
  if (first?.missing !== undefined) {
    return new PolderError('kernel-feature-missing', { feature: first.missing, detail: `: ${first.message}` });
  }
  const command = first?.op ? `nft ${printNftOp(table, first.op)}` : `nft, table ${table.family} ${table.name}`;
  return new PolderError('kernel-refused', { command, reason: first?.message ?? text.trim() });
}
