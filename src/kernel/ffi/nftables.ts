/** libnftables in this process. Source: libnftables(3), nftables/libnftables.h. */

import koffi, { type LibraryHandle } from 'koffi';
import { memoryFile } from '#kernel/ffi/memory-file.ts';

const NFT_CTX_DEFAULT = 0;
/** Flags of what is printed: no counters, handles, and everything as numbers. */
const STATELESS = 1 << 2;
const AS_JSON = 1 << 4;
const NUMERIC_ALL = (1 << 7) | (1 << 8) | (1 << 9) | (1 << 10);

type Pointer = bigint;

interface Library {
  readonly ctxNew: (flags: number) => Pointer | null;
  readonly ctxFree: (ctx: Pointer) => void;
  readonly setDryRun: (ctx: Pointer, dry: boolean) => void;
  readonly setFlags: (ctx: Pointer, flags: number) => void;
  readonly bufferOutput: (ctx: Pointer) => number;
  readonly bufferError: (ctx: Pointer) => number;
  readonly output: (ctx: Pointer) => string;
  readonly error: (ctx: Pointer) => string;
  readonly run: ((ctx: Pointer, path: string) => number) & {
    async: (ctx: Pointer, path: string, done: (error: Error | null, result: number) => void) => void;
  };
}

let library: Library | undefined;

/** Loads the library at the first use. @throws Error if it is not installed. */
function load(): Library {
  library ??= bindTo(openLibrary());
  return library;
}

function openLibrary(): LibraryHandle {
  try {
    return koffi.load('libnftables.so.1');
  } catch (cause) {
    throw new Error('Cannot use nftables: libnftables.so.1 is not installed (Debian: libnftables1)', { cause });
  }
}

function bindTo(lib: LibraryHandle): Library {
  return {
    ctxNew: lib.func('void *nft_ctx_new(uint32_t flags)'),
    ctxFree: lib.func('void nft_ctx_free(void *ctx)'),
    setDryRun: lib.func('void nft_ctx_set_dry_run(void *ctx, bool dry)'),
    setFlags: lib.func('void nft_ctx_output_set_flags(void *ctx, uint flags)'),
    bufferOutput: lib.func('int nft_ctx_buffer_output(void *ctx)'),
    bufferError: lib.func('int nft_ctx_buffer_error(void *ctx)'),
    output: lib.func('const char *nft_ctx_get_output_buffer(void *ctx)'),
    error: lib.func('const char *nft_ctx_get_error_buffer(void *ctx)'),
    run: lib.func('int nft_run_cmd_from_filename(void *ctx, const char *path)'),
  };
}

export interface NftRun {
  readonly ok: boolean;
  readonly output: string;
  readonly error: string;
}

export interface NftRunOptions {
  /** Checks and changes nothing. */
  readonly dryRun?: boolean;
  /** Listings as JSON, without counters. */
  readonly json?: boolean;
}

/** A context of libnftables, in the network namespace that the thread was in when it was made. One run at a time. */
export class NftContext {
  readonly #lib: Library;
  readonly #ctx: Pointer;
  #open = true;

  /** @throws Error if the library is missing or gives no context. */
  constructor() {
    this.#lib = load();
    const ctx = this.#lib.ctxNew(NFT_CTX_DEFAULT);
    if (!ctx) throw new Error('Cannot use nftables: libnftables gave no context');
    this.#ctx = ctx;
    this.#lib.bufferOutput(ctx);
    this.#lib.bufferError(ctx);
  }

  /** From a file: of a buffer libnftables does not tell in which line an error is. */
  run(text: string, options: NftRunOptions = {}): NftRun {
    this.#prepare(options);
    using file = memoryFile(text);
    return this.#result(this.#lib.run(this.#ctx, file.path));
  }

  /** As `run`, on a thread of the pool. */
  runAsync(text: string, options: NftRunOptions = {}): Promise<NftRun> {
    this.#prepare(options);
    const file = memoryFile(text);
    return new Promise((resolve, reject) => {
      this.#lib.run.async(this.#ctx, file.path, (error, result) => {
        file[Symbol.dispose]();
        if (error) reject(error);
        else resolve(this.#result(result));
      });
    });
  }

  close(): void {
    if (this.#open) this.#lib.ctxFree(this.#ctx);
    this.#open = false;
  }

  #prepare({ dryRun = false, json = false }: NftRunOptions): void {
    if (!this.#open) throw new Error('Cannot use the nftables handle: it is closed');
    this.#lib.setDryRun(this.#ctx, dryRun);
    this.#lib.setFlags(this.#ctx, NUMERIC_ALL | (json ? AS_JSON | STATELESS : 0));
  }

  /** The buffers are emptied by being read. */
  #result(result: number): NftRun {
    return { ok: result === 0, output: this.#lib.output(this.#ctx), error: this.#lib.error(this.#ctx) };
  }
}
