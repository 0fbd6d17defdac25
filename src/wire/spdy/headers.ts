/** Headers of a stream: names in lower case, values of one name joined by NUL (SPDY Protocol Draft 3.1 §2.6.10). */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** Streams of Kubernetes carry three headers; more than this is no honest client. */
export const MAX_HEADERS = 100;

/** An uncompressed name/value header block as bytes. Names are written in lower case. */
export function encodeHeaders(headers: SpdyHeaders): Uint8Array {
  const encoder = new TextEncoder();
  const texts = [...headers].flatMap(([name, value]) => [encoder.encode(name.toLowerCase()), encoder.encode(value)]);
  const bytes = new Uint8Array(texts.reduce((sum, text) => sum + 4 + text.length, 4));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, headers.size);
  let offset = 4;
  for (const text of texts) {
    view.setUint32(offset, text.length);
    bytes.set(text, offset + 4);
    offset += 4 + text.length;
  }
  return bytes;
}

/**
 * The headers of an uncompressed block. Names come out in lower case, as the specification wants them written.
 *
 * @throws SyntaxError when the block ends too early, goes on too long, or names a header twice; RangeError for more
 * than `MAX_HEADERS`.
 */
export function decodeHeaders(block: Uint8Array): SpdyHeaders {
  const reader = new TextReader(block);
  const count = reader.word();
  if (count > MAX_HEADERS) throw new RangeError(`Cannot take ${count} SPDY headers: at most ${MAX_HEADERS}`);
  const headers = new Map<string, string>();
  for (let index = 0; index < count; index++) {
    const name = reader.text().toLowerCase();
    if (headers.has(name)) throw new SyntaxError(`Cannot read SPDY headers: ${JSON.stringify(name)} stands twice`);
    headers.set(name, reader.text());
  }
  if (reader.left > 0) throw new SyntaxError(`Cannot read SPDY headers: ${reader.left} bytes after the last`);
  return headers;
}

class TextReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  word(): number {
    if (this.left < 4) throw new SyntaxError('Cannot read SPDY headers: the block ends inside a length');
    const { buffer, byteOffset } = this.#bytes;
    const value = new DataView(buffer, byteOffset + this.#offset, 4).getUint32(0);
    this.#offset += 4;
    return value;
  }

  text(): string {
    const length = this.word();
    if (length > this.left)
      throw new SyntaxError(`Cannot read SPDY headers: ${length} bytes wanted, ${this.left} there`);
    const bytes = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return new TextDecoder().decode(bytes);
  }
}
