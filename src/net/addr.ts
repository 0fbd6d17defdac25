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
  if (!text.includes(':')) return isV4(text) ? text : undefined;
  const bytes = bytesOf6(text);
  return bytes && addrFromBytes(bytes);
}

/** Read strictly there is one spelling. */
function isV4(text: string): text is Addr {
  return numberOf4(text) !== undefined;
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
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Addr;
  if (bytes.length === 16) return format6(bytes) as Addr;
  throw new RangeError(`Cannot make an IP address of ${bytes.length} bytes: it has 4 or 16`);
}

export function addrToBigInt(addr: Addr): bigint {
  const v4 = v4Number(addr);
  if (v4 !== undefined) return BigInt(v4);
  let value = 0n;
  for (const byte of addrBytes(addr)) value = (value << 8n) | BigInt(byte);
  return value;
}

/** @throws RangeError if the value does not fit the family. */
export function addrFromBigInt(value: bigint, family: Family): Addr {
  if (value < 0n || value >> BigInt(bitsOf(family)) !== 0n) {
    throw new RangeError(`Cannot make an IPv${family} address of ${value}: out of range`);
  }
  if (family === 4) return v4FromNumber(Number(value));
  const bytes = new Uint8Array(16);
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return addrFromBytes(bytes);
}

/** The address `by` places further (or before, if negative). @throws RangeError past either end of the family. */
export function addrPlus(addr: Addr, by: number): Addr {
  const sum = (v4Number(addr) ?? Number.NaN) + by;
  if (sum >= 0 && sum < 2 ** 32) return v4FromNumber(sum);
  return addrFromBigInt(addrToBigInt(addr) + BigInt(by), familyOf(addr));
}

/** Numeric order; IPv4 before IPv6. */
export function compareAddr(a: Addr, b: Addr): number {
  const [v4, other] = [v4Number(a), v4Number(b)];
  if (v4 !== undefined && other !== undefined) return v4 - other;
  const x = addrBytes(a);
  const y = addrBytes(b);
  if (x.length !== y.length) return x.length - y.length;
  for (let i = 0; i < x.length; i++) {
    const d = (x[i] ?? 0) - (y[i] ?? 0);
    if (d !== 0) return d;
  }
  return 0;
}

/** The 32 bits of an IPv4 address; undefined of IPv6. */
export function v4Number(addr: Addr): number | undefined {
  return addr.includes(':') ? undefined : numberOf4(addr);
}

/** @param value a whole number below 2^32 */
export function v4FromNumber(value: number): Addr {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}` as Addr;
}

const DOT = 0x2e;
const ZERO = 0x30;

/** Digit by digit, since every pod's way through here reads some twenty of them. */
function numberOf4(text: string): number | undefined {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT && octet >= 0 && dots < 3) {
      value = value * 256 + octet;
      octet = -1;
      dots++;
    } else if (code < ZERO || code > ZERO + 9 || octet === 0) return undefined;
    else {
      octet = (octet < 0 ? 0 : octet * 10) + code - ZERO;
      if (octet > 255) return undefined;
    }
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : undefined;
}

const HEXTET = /^[0-9a-fA-F]{1,4}$/;

function bytesOf4(text: string): Uint8Array | undefined {
  const value = numberOf4(text);
  if (value === undefined) return undefined;
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
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
