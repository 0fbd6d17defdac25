/**
 * IP addresses as canonical text.
 *
 * An `Addr` is a string that only `parseAddr` and `addrFromBytes` make, always in the one canonical spelling
 * (RFC 5952 for IPv6, four decimal octets for IPv4). So `===` compares addresses, they are Map keys, and a value
 * that holds them prints and travels as JSON unchanged.
 */

declare const addrBrand: unique symbol;
export type Addr = string & { readonly [addrBrand]: true };

/** IP version. */
export type Family = 4 | 6;

/** Reads an IPv4 or IPv6 address strictly: no leading zeros, no short forms of IPv4, no zone. Undefined if it is none. */
export function readAddr(text: string): Addr | undefined {
  const bytes = text.includes(':') ? bytesOf6(text) : bytesOf4(text);
  return bytes && addrFromBytes(bytes);
}

/** @throws SyntaxError if the text is not an IP address. */
export function parseAddr(text: string): Addr {
  const addr = readAddr(text);
  if (addr === undefined) throw new SyntaxError(`Cannot read "${text}" as an IP address`);
  return addr;
}

export function familyOf(addr: Addr): Family {
  return addr.includes(':') ? 6 : 4;
}

/** Bits of an address of this family: 32 or 128. */
export function bitsOf(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** Network byte order: 4 or 16 bytes. */
export function addrBytes(addr: Addr): Uint8Array {
  const bytes = addr.includes(':') ? bytesOf6(addr) : bytesOf4(addr);
  if (!bytes) throw new SyntaxError(`Cannot read "${addr}" as an IP address`);
  return bytes;
}

/** @throws RangeError unless there are 4 or 16 bytes. */
export function addrFromBytes(bytes: Uint8Array): Addr {
  if (bytes.length === 4) return bytes.join('.') as Addr;
  if (bytes.length === 16) return format6(bytes) as Addr;
  throw new RangeError(`Cannot make an IP address of ${bytes.length} bytes: it has 4 or 16`);
}

export function addrToBigInt(addr: Addr): bigint {
  let value = 0n;
  for (const byte of addrBytes(addr)) value = (value << 8n) | BigInt(byte);
  return value;
}

/** @throws RangeError if the value does not fit the family. */
export function addrFromBigInt(value: bigint, family: Family): Addr {
  if (value < 0n || value >> BigInt(bitsOf(family)) !== 0n) {
    throw new RangeError(`Cannot make an IPv${family} address of ${value}: out of range`);
  }
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return addrFromBytes(bytes);
}

/** The address `by` places further (or before, if negative). @throws RangeError past either end of the family. */
export function addrPlus(addr: Addr, by: number): Addr {
  return addrFromBigInt(addrToBigInt(addr) + BigInt(by), familyOf(addr));
}

/** Numeric order; IPv4 before IPv6. */
export function compareAddr(a: Addr, b: Addr): number {
  const x = addrBytes(a);
  const y = addrBytes(b);
  if (x.length !== y.length) return x.length - y.length;
  for (let i = 0; i < x.length; i++) {
    const d = (x[i] ?? 0) - (y[i] ?? 0);
    if (d !== 0) return d;
  }
  return 0;
}

const OCTET = /^(?:0|[1-9]\d{0,2})$/;
const HEXTET = /^[0-9a-fA-F]{1,4}$/;

function bytesOf4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((p) => OCTET.test(p) && Number(p) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function bytesOf6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = hextets(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? hextets(halves[1] ?? '', true) : [];
  if (!head || !tail) return undefined;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 1 ? gap !== 0 : gap < 1) return undefined;
  const words = [...head, ...Array<number>(gap).fill(0), ...tail];
  return Uint8Array.from(words.flatMap((w) => [w >> 8, w & 0xff]));
}

/** The 16-bit groups of one side of `::`; the last may be a dotted IPv4 address. */
function hextets(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const words: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    if (HEXTET.test(group)) words.push(Number.parseInt(group, 16));
    else {
      const v4 = last && i === groups.length - 1 ? bytesOf4(group) : undefined;
      if (!v4) return undefined;
      words.push(((v4[0] ?? 0) << 8) | (v4[1] ?? 0), ((v4[2] ?? 0) << 8) | (v4[3] ?? 0));
    }
  }
  return words;
}

/** RFC 5952: lower case, the longest run of two or more zero groups as `::`, IPv4-mapped addresses with a dotted tail. */
function format6(bytes: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  if (words.slice(0, 5).every((w) => w === 0) && words[5] === 0xffff) return `::ffff:${bytes.subarray(12).join('.')}`;
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && words[i + n] === 0) n++;
    if (n > length) [start, length] = [i, n];
  }
  const hex = (part: number[]) => part.map((w) => w.toString(16)).join(':');
  if (start < 0) return hex(words);
  return `${hex(words.slice(0, start))}::${hex(words.slice(start + length))}`;
}
