/** Says this node's WireGuard public keys to the cluster, in Calico's annotations of its Node. */

import type { Log } from '#cni/log.ts';
import type { ApiClient } from '#feed/client.ts';
import type { Family } from '#net/addr.ts';
import { NODE_ANNOTATIONS } from '#spec/calico-annotations.ts';
import { NODES } from '#spec/k8s.ts';

type Keys = Readonly<Partial<Record<Family, string>>>;

export class KeyPublisher {
  readonly #client: ApiClient;
  readonly #node: string;
  readonly #log: Log;
  #busy = false;

  constructor(client: ApiClient, node: string, log: Log) {
    this.#client = client;
    this.#node = node;
    this.#log = log;
  }

  /**
   * Brings what the cluster says to what the kernel has; returns at once. Asked after each pass with what was heard last:
   * what fails is tried again then.
   */
  publish(said: Keys, wanted: Keys): void {
    const annotations = changesOf(said, wanted);
    if (this.#busy || Object.keys(annotations).length === 0) return;
    this.#busy = true;
    void this.#patch(annotations).finally(() => {
      this.#busy = false;
    });
  }

  async #patch(annotations: Readonly<Record<string, string | null>>): Promise<void> {
    try {
      await this.#client.patch(NODES, { name: this.#node }, { metadata: { annotations } }, { type: 'merge' });
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'cannot tell the cluster the WireGuard key of this node');
    }
  }
}

/** A key that is wanted no longer is taken back: who still encrypts with it would reach nobody. */
function changesOf(said: Keys, wanted: Keys): Record<string, string | null> {
  const families = ([4, 6] as const).filter((family) => said[family] !== wanted[family]);
  return Object.fromEntries(families.map((family) => [NODE_ANNOTATIONS.keys[family], wanted[family] ?? null]));
}
