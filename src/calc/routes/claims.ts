/** Which node has which network, where several claim one. */

import { bitsOf } from '#net/addr.ts';
import { addrOf, lengthOf, type Prefix, prefixFamily, prefixOf } from '#net/prefix.ts';
import type { ClusterNode } from '#spec/cluster.ts';

export interface Claim {
  readonly node: ClusterNode;
  readonly network: Prefix;
}

/** A single address: it may lie inside another node's network, whose other addresses stay that node's. */
export function isHost(network: Prefix): boolean {
  return lengthOf(network) === bitsOf(prefixFamily(network));
}

/**
 * Networks that were given away, and who has them. Asking costs as many look-ups as there are lengths of networks
 * (mostly one or two), however many networks there are.
 */
export class Holders {
  readonly #taken = new Map<Prefix, Claim>();
  /** By networks of the known lengths that a taken one lies in. */
  readonly #around = new Map<Prefix, Claim>();
  readonly #lengths: readonly number[];

  /** `all` are the networks that may ever be asked for or taken. */
  constructor(all: Iterable<Prefix>) {
    this.#lengths = [...new Set([...all].filter((network) => !isHost(network)).map(lengthOf))];
  }

  take(claim: Claim): void {
    this.#taken.set(claim.network, claim);
    if (isHost(claim.network)) return;
    for (const wider of this.#wider(claim.network)) if (!this.#around.has(wider)) this.#around.set(wider, claim);
  }

  /** Who has the network, or a part of it, or one that it is part of; borrowed addresses apart. */
  holder(network: Prefix): Claim | undefined {
    const same = this.#taken.get(network);
    if (same || isHost(network)) return same;
    const around = this.#around.get(network);
    if (around) return around;
    for (const wider of this.#wider(network)) {
      const found = this.#taken.get(wider);
      if (found) return found;
    }
    return undefined;
  }

  #wider(network: Prefix): Prefix[] {
    const addr = addrOf(network);
    return this.#lengths.filter((length) => length < lengthOf(network)).map((length) => prefixOf(addr, length));
  }
}
