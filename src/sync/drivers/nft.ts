/** nft: one table is ours, wholly; all others are foreign. */

import type { Nft } from '#kernel/nft/handle.ts';
import { OWN_TABLE } from '#plan/objects.ts';
import type { TableListing } from '#wire/nft/values.ts';

/** Undefined if it is not there. */
export function readNft(nft: Nft): TableListing | undefined {
  return nft.list(OWN_TABLE);
}
