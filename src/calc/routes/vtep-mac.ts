/** Hardware addresses that follow from names. */

import { localMac, type Mac } from '#net/mac.ts';

const OFFSET = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;

/**
 * The hardware address that a thing of a node has, from the two names alone.
 *
 * Taken from the name and not published by the owner, so that a peer's entries can be made the moment its node CIDR is
 * known, nothing waits for the peer's agent, and a device made anew is the same for all others. 46 bits of FNV-1a
 * (locally administered, unicast): among 1 000 nodes two meet with a chance of 1 in 140 million; a node's annotation
 * `polder.dev/vtep-mac` then parts them.
 */
export function macOfNames(node: string, thing: string): Mac {
  let hash = OFFSET;
  for (const byte of new TextEncoder().encode(`${node}\0${thing}`)) hash = ((hash ^ BigInt(byte)) * PRIME) & MASK64;
  const folded = (hash ^ (hash >> 48n)) & 0xffffffffffffn;
  return localMac(Uint8Array.from({ length: 6 }, (_, i) => Number((folded >> BigInt(40 - 8 * i)) & 0xffn)));
}

const MASK64 = (1n << 64n) - 1n;
