/** The kernel's nftables handle, on libnftables. */

import { NftContext, type NftRun, type NftRunOptions } from '#kernel/ffi/nftables.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';
import { inNetns, type NetnsRef, openThreadNetns } from '#kernel/netns/enter.ts';
import type { ApplyOptions, Nft, NftFailure, NftOpError } from '#kernel/nft/handle.ts';
import { missingNftFeature } from '#wire/nft/missing.ts';
import { printTransaction } from '#wire/nft/print.ts';
import { readErrors } from '#wire/nft/read-error.ts';
import { readListing } from '#wire/nft/read-listing.ts';
import type { NftOp, TableListing, TableRef } from '#wire/nft/values.ts';
import { name } from '#wire/nft/words.ts';

/** Opens a handle on the namespace, else on the thread's own. @throws Error if libnftables is missing; SystemError. */
export function openNft(ns?: NetnsRef): KernelNft {
  return new KernelNft(ns === undefined ? openThreadNetns() : inNetns(ns, openThreadNetns));
}

export class KernelNft implements Nft {
  readonly #netns: number;
  readonly #context: NftContext;
  /** For what runs off the event loop; made when first wanted. */
  #slow: NftContext | undefined;
  /** The end of the queue of slow runs. */
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** Owns the descriptor of its namespace. */
  constructor(netns: number) {
    this.#netns = netns;
    this.#context = this.#newContext();
  }

  apply(table: TableRef, ops: readonly NftOp[], options: ApplyOptions = {}): NftFailure | undefined {
    return ops.length === 0 ? undefined : failureOf(ops, this.run(printTransaction(table, ops), options));
  }

  async applyAsync(
    table: TableRef,
    ops: readonly NftOp[],
    options: ApplyOptions = {},
  ): Promise<NftFailure | undefined> {
    return ops.length === 0 ? undefined : failureOf(ops, await this.runAsync(printTransaction(table, ops), options));
  }

  list(table: TableRef): TableListing | undefined {
    const run = this.run(`list table ${table.family} ${name(table.name)}`, { json: true });
    if (run.ok) return readListing(run.output);
    if (run.error.includes('No such file or directory')) return undefined;
    throw new Error(`Cannot list the nftables table ${table.name}: ${readErrors(run.error)[0]?.message ?? run.error}`);
  }

  /** Runs nft's own text. Interfaces should be named by `iifname`, not `iif`: the thread's namespace is another. */
  run(text: string, options: NftRunOptions = {}): NftRun {
    return this.#context.run(text, options);
  }

  /** As `run`, off the event loop. */
  runAsync(text: string, options: NftRunOptions = {}): Promise<NftRun> {
    const result = this.#queue.then(() => {
      if (this.#closed) throw new Error('Cannot use the nftables handle: it is closed');
      this.#slow ??= this.#newContext();
      return this.#slow.runAsync(text, options);
    });
    this.#queue = result.catch(() => {});
    return result;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#context.close();
    closeFd(this.#netns);
    // Not under the feet of a thread that runs it.
    this.#queue = this.#queue.then(() => this.#slow?.close());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #newContext(): NftContext {
    return inNetns(this.#netns, () => new NftContext());
  }
}

function failureOf(ops: readonly NftOp[], run: NftRun): NftFailure | undefined {
  if (run.ok) return undefined;
  return { text: run.error, errors: readErrors(run.error).map(({ line, message }) => opError(ops, line, message)) };
}

/** The text has an operation a line. */
function opError(ops: readonly NftOp[], line: number | undefined, message: string): NftOpError {
  const op = line === undefined ? undefined : ops[line - 1];
  if (!op) return { message };
  const missing = missingNftFeature(op, message);
  return { op, message, ...(missing === undefined ? {} : { missing }) };
}
