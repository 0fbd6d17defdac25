/** Writes netlink messages, one after another, into one buffer. Host byte order is little-endian on all that Node runs on. */

const NEST = 0x8000;
const ATTR_HEADER = 4;
/** Its length has 16 bits. */
const LARGEST = 0xffff;
const utf8 = new TextEncoder();

export interface WriterMark {
  readonly length: number;
  readonly last: number;
}

/** Of `flags` in `struct nlmsghdr`. */
const FLAGS_AT = 6;

export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  /** Bytes written so far. */
  length = 0;
  /** Where the last whole message begins. */
  #last = 0;

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** What was written; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  reset(): void {
    this.length = 0;
  }

  /** For `rewind`: what is written after this can be taken back. */
  mark(): WriterMark {
    return { length: this.length, last: this.#last };
  }

  rewind({ length, last }: WriterMark): void {
    this.length = length;
    this.#last = last;
  }

  /** Adds flags to the last message. */
  flagLast(flags: number): void {
    const at = this.#last + FLAGS_AT;
    this.#view.setUint16(at, this.#view.getUint16(at, true) | flags, true);
  }

  /** A message: `struct nlmsghdr`, then what `body` writes; padded to four bytes. */
  message(type: number, flags: number, seq: number, body: () => void): void {
    const start = this.length;
    this.u32(0);
    this.u16(type);
    this.u16(flags);
    this.u32(seq);
    this.u32(0);
    body();
    this.#view.setUint32(start, this.length - start, true);
    this.#align();
    this.#last = start;
  }

  u8(value: number): void {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
  }

  u16(value: number): void {
    const at = this.#room(2);
    this.#view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }

  /** 32 bits in network byte order. */
  be32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  attrU8(type: number, value: number): void {
    const at = this.#attr(type, 1);
    this.#view.setUint8(at, value);
  }

  attrU16(type: number, value: number): void {
    const at = this.#attr(type, 2);
    this.#view.setUint16(at, value, true);
  }

  attrU32(type: number, value: number): void {
    const at = this.#attr(type, 4);
    this.#view.setUint32(at, value, true);
  }

  /** A whole number below 2^53. */
  attrU64(type: number, value: number): void {
    const at = this.#attr(type, 8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  /** 16 bits in network byte order. */
  attrBe16(type: number, value: number): void {
    const at = this.#attr(type, 2);
    this.#view.setUint16(at, value);
  }

  attrBytes(type: number, bytes: Uint8Array): void {
    const at = this.#attr(type, bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Text with a closing zero byte. */
  attrText(type: number, text: string): void {
    const bytes = utf8.encode(text);
    const at = this.#attr(type, bytes.length + 1);
    this.#bytes.set(bytes, at);
    this.#bytes[at + bytes.length] = 0;
  }

  /** Where the payload of an attribute goes, with header and padding written. @throws RangeError past 65535 bytes. */
  #attr(type: number, size: number): number {
    const length = ATTR_HEADER + size;
    if (length > LARGEST) throw tooLarge(length);
    const padded = (length + 3) & ~3;
    const at = this.#room(padded);
    if (padded > length) this.#view.setUint32(at + padded - 4, 0);
    this.#view.setUint16(at, length, true);
    this.#view.setUint16(at + 2, type, true);
    return at + ATTR_HEADER;
  }

  /** An attribute that holds attributes. */
  nest(type: number, body: () => void): void {
    this.attr(type | NEST, body);
  }

  /** `struct nlattr`, then what `body` writes; padded to four bytes. @throws RangeError past 65535 bytes. */
  attr(type: number, body: () => void): void {
    this.sized(() => {
      this.u16(type);
      body();
    });
  }

  /** A 16-bit length that counts itself and what `body` writes, as `nlattr` and `rtnexthop` begin. */
  sized(body: () => void): void {
    const start = this.length;
    this.u16(0);
    body();
    const length = this.length - start;
    if (length > LARGEST) throw tooLarge(length);
    this.#view.setUint16(start, length, true);
    this.#align();
  }

  #align(): void {
    while (this.length % 4 !== 0) this.u8(0);
  }

  /** Where the next `size` bytes go. Growing changes the buffer: call it before the buffer or view is taken. */
  #room(size: number): number {
    const at = this.length;
    this.length += size;
    if (this.length > this.#bytes.length) this.#grow();
    return at;
  }

  #grow(): void {
    const larger = new Uint8Array(Math.max(this.length, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

function tooLarge(length: number): RangeError {
  return new RangeError(`Cannot write a netlink attribute of ${length} bytes: at most ${LARGEST} fit`);
}
