/** Writes netlink messages, one after another, into one buffer. Host byte order is little-endian on all that Node runs on. */

const NEST = 0x8000;
const utf8 = new TextEncoder();

export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  /** Bytes written so far. */
  length = 0;

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
    this.attr(type, () => this.u8(value));
  }

  attrU16(type: number, value: number): void {
    this.attr(type, () => this.u16(value));
  }

  attrU32(type: number, value: number): void {
    this.attr(type, () => this.u32(value));
  }

  /** A whole number below 2^53. */
  attrU64(type: number, value: number): void {
    this.attr(type, () => {
      const at = this.#room(8);
      this.#view.setBigUint64(at, BigInt(value), true);
    });
  }

  /** 16 bits in network byte order. */
  attrBe16(type: number, value: number): void {
    this.attr(type, () => {
      const at = this.#room(2);
      this.#view.setUint16(at, value);
    });
  }

  attrBytes(type: number, bytes: Uint8Array): void {
    this.attr(type, () => this.raw(bytes));
  }

  /** Text with a closing zero byte. */
  attrText(type: number, text: string): void {
    this.attr(type, () => {
      this.raw(utf8.encode(text));
      this.u8(0);
    });
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
    if (length > 0xffff) throw new RangeError(`Cannot write a netlink attribute of ${length} bytes: at most 65535 fit`);
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
