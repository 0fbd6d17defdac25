/** Address families and addresses as messages have them. */

import { type Addr, addrBytes, addrFromBytes, type Family, familyOf } from '#net/addr.ts';
import { addrOf, lengthOf, type Prefix, prefixOf } from '#net/prefix.ts';
import { AF_INET, AF_INET6 } from '#wire/netlink/constants.ts';
import { malformed } from '#wire/netlink/reader.ts';
import type { Writer } from '#wire/netlink/writer.ts';

export function familyNumber(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

export function addressFamily(addr: Addr): number {
  return familyNumber(familyOf(addr));
}

/** Undefined for a family that is not IP. */
export function familyOfNumber(number: number): Family | undefined {
  return number === AF_INET ? 4 : number === AF_INET6 ? 6 : undefined;
}

/** Undefined if absent. @throws SyntaxError unless there are 4 or 16 bytes. */
export function readAddress(bytes: Uint8Array | undefined): Addr | undefined {
  if (bytes && bytes.length !== 4 && bytes.length !== 16) throw malformed(`address of ${bytes.length} bytes`);
  return bytes && addrFromBytes(bytes);
}

/** A network from its length in the header and its address attribute, which is absent for a default route. @throws SyntaxError */
export function readNetwork(family: Family, length: number, bytes: Uint8Array | undefined): Prefix {
  const addr = readAddress(bytes ?? new Uint8Array(family === 4 ? 4 : 16));
  if (addr === undefined || familyOf(addr) !== family || length > (family === 4 ? 32 : 128)) {
    throw malformed(`network of length ${length} in IPv${family}`);
  }
  return prefixOf(addr, length);
}

/** The attribute of a network's address; none for one of length 0. */
export function writeNetwork(writer: Writer, type: number, prefix: Prefix | undefined): void {
  if (prefix !== undefined && lengthOf(prefix) > 0) writer.attrBytes(type, addrBytes(addrOf(prefix)));
}
