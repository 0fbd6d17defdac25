import { constants, deflateRawSync, deflateSync, inflateRawSync } from 'node:zlib';
import { SPDY3_DICTIONARY } from '#wire/spdy/dictionary.ts';

/** Most bytes that one header block may inflate to. */
export const MAX_HEADER_BYTES = 64 * 1024;

/** The window of deflate: what a later block may refer back to. */
const WINDOW = 32 * 1024;

/** zlib's two header bytes and the Adler-32 of the dictionary, in front of the first block only. */
const ZLIB_HEADER = 6;

const FLUSH = { finishFlush: constants.Z_SYNC_FLUSH } as const;

/**
 * Undoes the zlib stream that spans all header blocks of one direction (SPDY Protocol Draft 3.1 §2.6.10.1).
 *
 * Each block ends with a sync flush, so that it is whole bytes of raw deflate; what it refers back to is the window of
 * what came before. Inflating it with that window as its dictionary needs no stream object and ends at `limit`.
 */
export class HeaderInflater {
  #window: Uint8Array = SPDY3_DICTIONARY;
  #begun = false;

  /** @throws Error when the block is no deflate data, or inflates to more than `limit` bytes. */
  inflate(block: Uint8Array, limit = MAX_HEADER_BYTES): Uint8Array {
    const raw = this.#begun ? block : withoutZlibHeader(block);
    const bytes = inflateRawSync(raw, { ...FLUSH, dictionary: this.#window, maxOutputLength: limit });
    this.#begun = true;
    this.#window = Buffer.concat([this.#window, bytes]).subarray(-WINDOW);
    return bytes;
  }
}

function withoutZlibHeader(block: Uint8Array): Uint8Array {
  if (block.length < ZLIB_HEADER) throw new SyntaxError('Cannot inflate SPDY headers: the zlib header is cut off');
  return block.subarray(ZLIB_HEADER);
}

/** Makes the blocks of the other direction. It never refers back beyond its own block, which any inflater accepts. */
export class HeaderDeflater {
  #begun = false;

  deflate(bytes: Uint8Array): Uint8Array {
    if (this.#begun) return deflateRawSync(bytes, FLUSH);
    this.#begun = true;
    return deflateSync(bytes, { ...FLUSH, dictionary: SPDY3_DICTIONARY });
  }
}
