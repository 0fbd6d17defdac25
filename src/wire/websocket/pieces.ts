/** Longest header of a frame: two bytes, eight of length, four of mask (RFC 6455 §5.2). */
const HEADER_MAX = 14;

/** What ends an HTTP head, in front of the frames. */
const HEAD_END = [13, 10, 13, 10];

/**
 * Cuts what one end of a WebSocket connection says, from its HTTP head on, so that no piece holds bytes of two frames.
 * Nothing is held back or gathered: the pieces are the bytes that came, in order.
 *
 * It serves a relay that writes to TLS. Clients that wait for their socket to become readable, and then read one frame,
 * do not see a second frame that came in the same TLS record; written piece by piece, each frame has records of its own.
 */
export class WebSocketPieces {
  #headMatched = 0;
  readonly #header: number[] = [];
  #payloadLeft = 0n;

  *push(bytes: Uint8Array): Generator<Uint8Array, void> {
    let rest = bytes;
    while (rest.length > 0) {
      const length = this.#headMatched < HEAD_END.length ? this.#takeHead(rest) : this.#takeFrame(rest);
      yield rest.subarray(0, length);
      rest = rest.subarray(length);
    }
  }

  #takeHead(bytes: Uint8Array): number {
    for (const [index, byte] of bytes.entries()) {
      if (byte === HEAD_END[this.#headMatched]) this.#headMatched++;
      else this.#headMatched = byte === HEAD_END[0] ? 1 : 0;
      if (this.#headMatched === HEAD_END.length) return index + 1;
    }
    return bytes.length;
  }

  /** How many of `bytes` belong to the frame that is begun, or begins. */
  #takeFrame(bytes: Uint8Array): number {
    let used = 0;
    while (this.#payloadLeft === 0n && used < bytes.length) {
      this.#header.push(bytes[used++] ?? 0);
      const payload = payloadLength(this.#header);
      if (payload === undefined) continue;
      this.#header.length = 0;
      this.#payloadLeft = payload;
      if (payload === 0n) return used;
    }
    const there = BigInt(bytes.length - used);
    const taken = there < this.#payloadLeft ? there : this.#payloadLeft;
    this.#payloadLeft -= taken;
    return used + Number(taken);
  }
}

/** Length of the payload that follows a whole frame header; undefined while the header is not whole. */
function payloadLength(header: readonly number[]): bigint | undefined {
  const second = header[1];
  if (second === undefined) return undefined;
  const short = second & 0x7f;
  const extra = short === 127 ? 8 : short === 126 ? 2 : 0;
  const whole = 2 + extra + ((second & 0x80) === 0 ? 0 : 4);
  if (header.length < Math.min(whole, HEADER_MAX)) return undefined;
  if (extra === 0) return BigInt(short);
  return header.slice(2, 2 + extra).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}
