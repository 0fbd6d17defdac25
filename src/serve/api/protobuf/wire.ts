/** The protobuf wire format (protobuf.dev "Encoding"): a message as its fields by number. */

/** Varints and fixed numbers as bigint, the rest as bytes. */
export type WireValue = bigint | Uint8Array;

/** Values of each field number, in the order in which they came. */
export type Message = ReadonlyMap<number, readonly WireValue[]>;

/** @throws SyntaxError when the bytes are no message */
export function readMessage(bytes: Uint8Array): Message {
  const fields = new Map<number, WireValue[]>();
  const reader = new Reader(bytes);
  while (!reader.done) {
    const tag = Number(reader.varint());
    const value = reader.value(tag & 7);
    const number = tag >>> 3;
    const values = fields.get(number);
    if (values === undefined) fields.set(number, [value]);
    else values.push(value);
  }
  return fields;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) break;
      this.#at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new SyntaxError('Cannot read a protobuf message: a number does not end');
  }

  value(type: number): WireValue {
    switch (type) {
      case 0:
        return this.varint();
      case 1:
        return this.#view.getBigUint64(this.#take(8), true);
      case 2:
        return this.#slice(Number(this.varint()));
      case 5:
        return BigInt(this.#view.getUint32(this.#take(4), true));
      default:
        throw new SyntaxError(`Cannot read a protobuf message: wire type ${type}`);
    }
  }

  #take(length: number): number {
    const start = this.#at;
    if (length < 0 || start + length > this.#bytes.length) {
      throw new SyntaxError('Cannot read a protobuf message: it ends too early');
    }
    this.#at += length;
    return start;
  }

  #slice(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }
}
