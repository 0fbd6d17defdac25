/** Small changes of a table that several processes share. */

import type { Nft, NftFailure } from '#kernel/nft/handle.ts';
import { ensureSkeleton } from '#wire/nft/edit.ts';
import type { NftOp, Table, TableListing, TableRef } from '#wire/nft/values.ts';

/** Somebody else changed the table between reading and writing so often in a row: there is another reason. */
const TRIES = 5;
const CHANGED = /No such file or directory|File exists|Device or resource busy|Resource temporarily unavailable/;

/**
 * Adds to a table, making its skeleton first where that is missing: most often one small transaction. Undefined: done.
 * The operations may be tried twice; each must be one that can be repeated, or fail wholly when it cannot.
 */
export function addToTable(nft: Nft, table: TableRef, skeleton: Table, ops: readonly NftOp[]): NftFailure | undefined {
  const failure = nft.apply(table, ops);
  if (!failure || !/No such file or directory/.test(failure.text)) return failure;
  return nft.apply(table, [...ensureSkeleton(skeleton), ...ops]);
}

/** Removes from a table with operations that do not mind what is gone (`forgetChain`, `forgetElements`). Without a table all is gone. */
export function removeFromTable(nft: Nft, table: TableRef, ops: readonly NftOp[]): NftFailure | undefined {
  const failure = nft.apply(table, ops);
  return failure && nft.list(table) === undefined ? undefined : failure;
}

/**
 * Reads the table, works out what to change, and changes it; anew if somebody else was quicker. `edit` gets undefined
 * where there is no table. Undefined: done, or nothing was to be done.
 */
export function editTable(
  nft: Nft,
  table: TableRef,
  edit: (have: TableListing | undefined) => readonly NftOp[],
): NftFailure | undefined {
  let failure: NftFailure | undefined;
  for (let i = 0; i < TRIES; i++) {
    failure = nft.apply(table, edit(nft.list(table)));
    if (!failure || !CHANGED.test(failure.text)) return failure;
  }
  return failure;
}
