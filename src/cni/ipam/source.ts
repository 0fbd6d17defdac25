/** Where addresses of one family come from: the node's CIDR, or what the node holds of pools. */

import { capacityOf, isUsable, nextFree } from '#cni/ipam/range.ts';
import { type Addr, addrToBigInt, type Family } from '#net/addr.ts';
import { type Prefix, prefixFamily } from '#net/prefix.ts';

export interface AddressSource {
  /** For messages: `10.244.1.0/24`, `pool default-ipv4-ippool`. */
  readonly label: string;
  readonly family: Family;
  /** How many addresses it has, given ones included. */
  readonly size: number;
  has(addr: Addr): boolean;
  /** The first free address behind `last`, round-robin; undefined if none is free. */
  next(last: Addr | undefined, isFree: (addr: Addr) => boolean): Addr | undefined;
}

/** The addresses of a node CIDR. */
export function cidrSource(cidr: Prefix): AddressSource {
  return {
    label: cidr,
    family: prefixFamily(cidr),
    size: capacityOf(cidr),
    has: (addr) => isUsable(cidr, addr),
    next: (last, isFree) => nextFree(cidr, last, isFree),
  };
}

/** Addresses one by one, in their order. */
export function listSource(label: string, family: Family, addrs: readonly Addr[]): AddressSource {
  const all = new Set(addrs);
  return {
    label,
    family,
    size: addrs.length,
    has: (addr) => all.has(addr),
    next: (last, isFree) => {
      const from = last === undefined ? 0 : addrs.findIndex((addr) => addrToBigInt(addr) > addrToBigInt(last));
      const start = Math.max(from, 0);
      for (let i = 0; i < addrs.length; i++) {
        const addr = addrs[(start + i) % addrs.length];
        if (addr !== undefined && isFree(addr)) return addr;
      }
      return undefined;
    },
  };
}
