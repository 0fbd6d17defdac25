/** What an nftables handle can do; the kernel's and the fake's both are one. */

import type { NftOp, TableListing, TableRef } from '#wire/nft/values.ts';

/** Why a transaction was refused; nothing of it took effect. */
export interface NftFailure {
  /** nft's whole output. */
  readonly text: string;
  readonly errors: readonly NftOpError[];
}

export interface NftOpError {
  /** The operation that nft found at fault, if it named one. */
  readonly op?: NftOp;
  /** nft's sentence. */
  readonly message: string;
  /** The feature that the kernel lacks, if that is why. */
  readonly missing?: string;
}

export interface ApplyOptions {
  /** Checks and changes nothing. */
  readonly dryRun?: boolean;
}

/** A handle on the nftables of one network namespace. */
export interface Nft extends Disposable {
  /** Runs the operations on the table as one transaction. Undefined: done. @throws RangeError for a name that nft cannot take. */
  apply(table: TableRef, ops: readonly NftOp[], options?: ApplyOptions): NftFailure | undefined;
  /** As `apply`, off the event loop: for heavy commits. One after another. */
  applyAsync(table: TableRef, ops: readonly NftOp[], options?: ApplyOptions): Promise<NftFailure | undefined>;
  /** Undefined if there is no such table. */
  list(table: TableRef): TableListing | undefined;
  close(): void;
}
