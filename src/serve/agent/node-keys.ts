/** The node's WireGuard keys, one pair a family: made when first wanted, kept in files that outlive the agent. */

import { join } from 'node:path';
import { type KeyPair, loadKeyPair, makeKeyPair, saveKeyPair } from '#kernel/wireguard/keys.ts';
import type { Family } from '#net/addr.ts';
import type { PublicKey } from '#wire/wireguard/values.ts';

export class NodeKeys {
  readonly #dir: string;
  readonly #pairs = new Map<Family, KeyPair>();

  /** `dir` survives the agent. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @throws Error if the file cannot be read or written. */
  publicKey(family: Family): PublicKey {
    const pair = this.#pairs.get(family) ?? loadKeyPair(this.#file(family));
    this.#pairs.set(family, pair);
    return pair.publicKey;
  }

  /** 32 bytes; undefined for a key that is not ours. */
  privateKey(publicKey: PublicKey): Uint8Array | undefined {
    return [...this.#pairs.values()].find((pair) => pair.publicKey === publicKey)?.privateKey;
  }

  /** New pairs for all families that have one. @returns how many. @throws Error if a file cannot be written. */
  rotate(): number {
    for (const family of this.#pairs.keys()) this.#pairs.set(family, saveKeyPair(this.#file(family), makeKeyPair()));
    return this.#pairs.size;
  }

  #file(family: Family): string {
    return join(this.#dir, family === 4 ? 'wireguard.key' : 'wireguard-v6.key');
  }
}
