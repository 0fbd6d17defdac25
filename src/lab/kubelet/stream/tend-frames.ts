/**
 * The frames that `tend` (native/tend.c) speaks on its attach socket and on the stdin of `tend pty`: type (one byte),
 * length (four, big endian), bytes.
 */
export const TO_TEND = { stdin: 0, endOfStdin: 1, size: 2 } as const;
export const FROM_TEND = { stdout: 1, stderr: 2 } as const;

const HEADER_SIZE = 5;

export function tendFrame(type: number, bytes: Uint8Array = new Uint8Array(0)): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_SIZE + bytes.length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, HEADER_SIZE);
  return frame;
}

/** A terminal's size in characters. */
export function tendSize(cols: number, rows: number): Buffer {
  const size = Buffer.allocUnsafe(4);
  size.writeUInt16BE(cols, 0);
  size.writeUInt16BE(rows, 2);
  return tendFrame(TO_TEND.size, size);
}

export interface TendPiece {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** Takes frames apart as their bytes come. A frame that arrives in parts is given in parts: nothing is gathered. */
export class TendReader {
  readonly #header = Buffer.alloc(HEADER_SIZE);
  #have = 0;
  #left = 0;

  *push(bytes: Uint8Array): Generator<TendPiece, void> {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#have < HEADER_SIZE) rest = this.#takeHeader(rest);
      if (this.#have < HEADER_SIZE) return;
      const piece = rest.subarray(0, this.#left);
      rest = rest.subarray(piece.length);
      this.#left -= piece.length;
      if (this.#left === 0) this.#have = 0;
      if (piece.length > 0) yield { type: this.#header[0] ?? 0, bytes: piece };
    }
  }

  #takeHeader(bytes: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, HEADER_SIZE - this.#have);
    this.#header.set(taken, this.#have);
    this.#have += taken.length;
    if (this.#have === HEADER_SIZE) this.#left = this.#header.readUInt32BE(1);
    return bytes.subarray(taken.length);
  }
}
