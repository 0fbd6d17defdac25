/** Networks in Calico's resources: a bare address is one of full length. */

import { readAddr } from '#net/addr.ts';
import { hostPrefix, type Prefix, readPrefix } from '#net/prefix.ts';

/** Undefined if the text is neither a network nor an address. */
export function readNetwork(text: string): Prefix | undefined {
  const addr = readAddr(text);
  return addr === undefined ? readPrefix(text) : hostPrefix(addr);
}

/** Those that can be read. */
export function readNetworks(texts: readonly string[]): Prefix[] {
  return texts.map(readNetwork).filter((network) => network !== undefined);
}
