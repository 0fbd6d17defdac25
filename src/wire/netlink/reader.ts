/** Reads netlink messages and attributes. Whatever the bytes are, reading ends: with a value or with a SyntaxError. */

const HEADER = 16;
/** The bits of an attribute's type that say which it is. */
export const ATTR_TYPE = 0x3fff;
const utf8 = new TextDecoder();

/** A stretch of bytes. */
export interface Span {
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

/** `struct nlmsghdr` and where its payload lies. */
export interface Message extends Span {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
}

/** The messages of one datagram. @throws SyntaxError if one is cut off. */
export function readMessages(view: DataView, length: number): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at + HEADER <= length; ) {
    const size = view.getUint32(at, true);
    if (size < HEADER || at + size > length) throw malformed(`message of ${size} bytes with ${length - at} left`);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      seq: view.getUint32(at + 8, true),
      view,
      start: at + HEADER,
      end: at + size,
    });
    at += (size + 3) & ~3;
  }
  return messages;
}

export function malformed(what: string): SyntaxError {
  return new SyntaxError(`Cannot read the netlink message: ${what}`);
}

/** Checks that a fixed header of `size` bytes is there and returns where it begins. @throws SyntaxError */
export function header(span: Span, size: number): number {
  if (span.end - span.start < size) throw malformed(`${span.end - span.start} bytes where a header has ${size}`);
  return span.start;
}

/** The attributes of a span in order, for lists in which one type comes many times. @throws SyntaxError if one is cut off. */
export function eachAttr({ view, start, end }: Span): { readonly type: number; readonly payload: Span }[] {
  const found: { type: number; payload: Span }[] = [];
  for (let at = start; at + 4 <= end; ) {
    const next = attrEnd(view, at, end);
    const type = view.getUint16(at + 2, true) & ATTR_TYPE;
    found.push({ type, payload: { view, start: at + 4, end: next } });
    at += (next - at + 3) & ~3;
  }
  return found;
}

/** Where the attribute at `at` ends, without its padding. @throws SyntaxError if it is cut off. */
export function attrEnd(view: DataView, at: number, end: number): number {
  const length = view.getUint16(at, true);
  if (length < 4 || at + length > end) throw malformed(`attribute of ${length} bytes with ${end - at} left`);
  return at + length;
}

export function bytesBetween(view: DataView, start: number, end: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + start, end - start);
}

/** Up to the closing zero byte, if there is one. */
export function textBetween(view: DataView, start: number, end: number): string {
  const bytes = bytesBetween(view, start, end);
  const zero = bytes.indexOf(0);
  return utf8.decode(zero < 0 ? bytes : bytes.subarray(0, zero));
}

/** The attributes of a span by type; of one that comes twice the last counts, as in the kernel's own parser. */
export class Attrs {
  readonly #view: DataView;
  /** By type: where the payload begins and ends. */
  readonly #at: number[] = [];

  /** @throws SyntaxError if an attribute is cut off. */
  constructor(view: DataView, start: number, end: number) {
    this.#view = view;
    for (let at = start; at + 4 <= end; ) {
      const next = attrEnd(view, at, end);
      const type = view.getUint16(at + 2, true) & ATTR_TYPE;
      this.#at[2 * type] = at + 4;
      this.#at[2 * type + 1] = next;
      at += (next - at + 3) & ~3;
    }
  }

  has(type: number): boolean {
    return this.#at[2 * type] !== undefined;
  }

  /** Undefined if there is none. @throws SyntaxError if it is too short. */
  u8(type: number): number | undefined {
    const at = this.#find(type, 1);
    return at === undefined ? undefined : this.#view.getUint8(at);
  }

  u16(type: number): number | undefined {
    const at = this.#find(type, 2);
    return at === undefined ? undefined : this.#view.getUint16(at, true);
  }

  u32(type: number): number | undefined {
    const at = this.#find(type, 4);
    return at === undefined ? undefined : this.#view.getUint32(at, true);
  }

  /** Rounded where it is past 2^53. */
  u64(type: number): number | undefined {
    const at = this.#find(type, 8);
    return at === undefined ? undefined : Number(this.#view.getBigUint64(at, true));
  }

  i32(type: number): number | undefined {
    const at = this.#find(type, 4);
    return at === undefined ? undefined : this.#view.getInt32(at, true);
  }

  /** 16 bits in network byte order. */
  be16(type: number): number | undefined {
    const at = this.#find(type, 2);
    return at === undefined ? undefined : this.#view.getUint16(at);
  }

  /** 32 bits in network byte order. */
  be32(type: number): number | undefined {
    const at = this.#find(type, 4);
    return at === undefined ? undefined : this.#view.getUint32(at);
  }

  bytes(type: number): Uint8Array | undefined {
    const start = this.#at[2 * type];
    const end = this.#at[2 * type + 1];
    if (start === undefined || end === undefined) return undefined;
    return bytesBetween(this.#view, start, end);
  }

  /** Up to the closing zero byte, if there is one. */
  text(type: number): string | undefined {
    const start = this.#at[2 * type];
    const end = this.#at[2 * type + 1];
    return start === undefined || end === undefined ? undefined : textBetween(this.#view, start, end);
  }

  /** The attributes inside one; none if it is absent. */
  nested(type: number): Attrs {
    return new Attrs(this.#view, this.#at[2 * type] ?? 0, this.#at[2 * type + 1] ?? 0);
  }

  span(type: number): Span | undefined {
    const start = this.#at[2 * type];
    const end = this.#at[2 * type + 1];
    return start === undefined || end === undefined ? undefined : { view: this.#view, start, end };
  }

  #find(type: number, size: number): number | undefined {
    const start = this.#at[2 * type];
    const end = this.#at[2 * type + 1];
    if (start === undefined || end === undefined) return undefined;
    if (end - start < size) throw malformed(`attribute ${type} has ${end - start} bytes, needs ${size}`);
    return start;
  }
}
