/** Which addresses of a node's CIDR pods may have, and which comes next. */

import { type Addr, addrFromBigInt, addrToBigInt, familyOf } from '#net/addr.ts';
import { contains, firstAddr, type Prefix, prefixFamily, sizeOf } from '#net/prefix.ts';

/** An IPv6 CIDR is used only so far; nobody runs more pods on a node, and a search must end. */
const LARGEST = 1n << 20n;

/** The gateway of bridges, the CIDR's .1. It is kept free in routed networks too, so that a node can change over. */
export function gatewayOf(cidr: Prefix): Addr {
  return addrFromBigInt(addrToBigInt(firstAddr(cidr)) + 1n, prefixFamily(cidr));
}

interface Range {
  readonly first: bigint;
  readonly count: bigint;
}

/** Without the network's own address, the gateway and (IPv4) the broadcast address. */
function usableRange(cidr: Prefix): Range {
  const size = sizeOf(cidr) < LARGEST ? sizeOf(cidr) : LARGEST;
  const count = size - (prefixFamily(cidr) === 4 ? 3n : 2n);
  return { first: addrToBigInt(firstAddr(cidr)) + 2n, count: count > 0n ? count : 0n };
}

/** How many pods the CIDR has addresses for. */
export function capacityOf(cidr: Prefix): number {
  return Number(usableRange(cidr).count);
}

export function isUsable(cidr: Prefix, addr: Addr): boolean {
  if (!contains(cidr, addr)) return false;
  const { first, count } = usableRange(cidr);
  const offset = addrToBigInt(addr) - first;
  return offset >= 0n && offset < count;
}

/**
 * The first free address behind `last`, round-robin: a freed address is not given again before the whole CIDR was
 * gone through. Undefined if none is free.
 */
export function nextFree(cidr: Prefix, last: Addr | undefined, isFree: (addr: Addr) => boolean): Addr | undefined {
  const { first, count } = usableRange(cidr);
  const from = last !== undefined && isUsable(cidr, last) ? addrToBigInt(last) - first + 1n : 0n;
  for (let i = 0n; i < count; i++) {
    const addr = addrFromBigInt(first + ((from + i) % count), prefixFamily(cidr));
    if (isFree(addr)) return addr;
  }
  return undefined;
}

/** The CIDR of the address's family, if the node has one. */
export function cidrFor(cidrs: readonly Prefix[], addr: Addr): Prefix | undefined {
  return cidrs.find((cidr) => prefixFamily(cidr) === familyOf(addr));
}
