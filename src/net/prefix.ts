/** Networks (`Prefix`, host bits zero) and addresses with their network's length (`IfAddr`), as canonical text. */

import {
  type Addr,
  addrFromBigInt,
  addrToBigInt,
  bitsOf,
  type Family,
  familyOf,
  readAddr,
  v4FromNumber,
  v4Number,
} from '#net/addr.ts';

declare const prefixBrand: unique symbol;
declare const ifAddrBrand: unique symbol;

/** A network: `10.244.1.0/24`. Its host bits are zero. */
export type Prefix = string & { readonly [prefixBrand]: true };

/** An interface's address with the length of its network: `10.244.1.1/24`. */
export type IfAddr = string & { readonly [ifAddrBrand]: true };

const LENGTH = /^(?:0|[1-9]\d{0,2})$/;

function split(text: string): { addr: Addr; length: number } | undefined {
  const slash = text.lastIndexOf('/');
  const addr = slash < 0 ? undefined : readAddr(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (addr === undefined || !LENGTH.test(length) || Number(length) > bitsOf(familyOf(addr))) return undefined;
  return { addr, length: Number(length) };
}

function maskOf(family: Family, length: number): bigint {
  const bits = BigInt(bitsOf(family));
  return ((1n << BigInt(length)) - 1n) << (bits - BigInt(length));
}

/** Undefined unless the text is `address/length` with host bits zero. */
export function readPrefix(text: string): Prefix | undefined {
  const parts = split(text);
  if (!parts) return undefined;
  const prefix = prefixOf(parts.addr, parts.length);
  return prefix.startsWith(`${parts.addr}/`) ? prefix : undefined;
}

/** @throws SyntaxError if the text is no network; names the right one if only host bits are set. */
export function parsePrefix(text: string): Prefix {
  const prefix = readPrefix(text);
  if (prefix !== undefined) return prefix;
  const parts = split(text);
  const hint = parts ? `: host bits are set, the network is ${prefixOf(parts.addr, parts.length)}` : '';
  throw new SyntaxError(`Cannot read "${text}" as a network such as 10.244.0.0/16${hint}`);
}

/** Undefined if the text is not `address/length`. */
export function readIfAddr(text: string): IfAddr | undefined {
  const parts = split(text);
  return parts && ifAddr(parts.addr, parts.length);
}

/** @throws SyntaxError if the text is not `address/length`. */
export function parseIfAddr(text: string): IfAddr {
  const address = readIfAddr(text);
  if (address !== undefined) return address;
  throw new SyntaxError(`Cannot read "${text}" as an address with a length such as 10.244.1.1/24`);
}

/** The network of this length that holds the address. @throws RangeError if the length does not fit the family. */
export function prefixOf(addr: Addr, length: number): Prefix {
  const family = familyOf(addr);
  if (!Number.isInteger(length) || length < 0 || length > bitsOf(family)) {
    throw new RangeError(`Cannot make a network of length ${length}: IPv${family} has 0 to ${bitsOf(family)}`);
  }
  const v4 = v4Number(addr);
  const first =
    v4 === undefined
      ? addrFromBigInt(addrToBigInt(addr) & maskOf(family, length), family)
      : v4FromNumber(v4 - (v4 % 2 ** (32 - length)));
  return `${first}/${length}` as Prefix;
}

/** The network that is this one address: /32 or /128. */
export function hostPrefix(addr: Addr): Prefix {
  return `${addr}/${bitsOf(familyOf(addr))}` as Prefix;
}

export function ifAddr(addr: Addr, length: number): IfAddr {
  return `${addr}/${length}` as IfAddr;
}

export function addrOf(prefix: Prefix | IfAddr): Addr {
  return prefix.slice(0, prefix.lastIndexOf('/')) as Addr;
}

export function lengthOf(prefix: Prefix | IfAddr): number {
  return Number(prefix.slice(prefix.lastIndexOf('/') + 1));
}

export function prefixFamily(prefix: Prefix | IfAddr): Family {
  return prefix.includes(':') ? 6 : 4;
}

/** The network that an interface's address stands in. */
export function networkOf(address: IfAddr): Prefix {
  return prefixOf(addrOf(address), lengthOf(address));
}

export function contains(prefix: Prefix, addr: Addr): boolean {
  return prefixFamily(prefix) === familyOf(addr) && prefixOf(addr, lengthOf(prefix)) === prefix;
}

/** True if `inner` lies wholly inside `outer` (or is the same). */
export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  return lengthOf(inner) >= lengthOf(outer) && contains(outer, addrOf(inner));
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return containsPrefix(a, b) || containsPrefix(b, a);
}

export function firstAddr(prefix: Prefix): Addr {
  return addrOf(prefix);
}

/** The last address: the broadcast address of an IPv4 network. */
export function lastAddr(prefix: Prefix): Addr {
  return addrFromBigInt(addrToBigInt(addrOf(prefix)) + sizeOf(prefix) - 1n, prefixFamily(prefix));
}

/** How many addresses it holds, first and last included. */
export function sizeOf(prefix: Prefix): bigint {
  return 1n << BigInt(bitsOf(prefixFamily(prefix)) - lengthOf(prefix));
}

/** The `index`th network of `length` inside `prefix`. @throws RangeError if there is none. */
export function subnetAt(prefix: Prefix, length: number, index: number): Prefix {
  const family = prefixFamily(prefix);
  const count = 1n << BigInt(Math.max(0, length - lengthOf(prefix)));
  if (length < lengthOf(prefix) || length > bitsOf(family) || index < 0 || BigInt(index) >= count) {
    throw new RangeError(`Cannot take network ${index} of length ${length} from ${prefix}: there is none`);
  }
  const step = 1n << BigInt(bitsOf(family) - length);
  return prefixOf(addrFromBigInt(addrToBigInt(addrOf(prefix)) + BigInt(index) * step, family), length);
}
