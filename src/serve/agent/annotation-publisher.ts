/** Says to the cluster, in annotations of this node's Node, what the others must know of it. */

import type { Log } from '#cni/log.ts';
import type { ApiClient } from '#feed/client.ts';
import { NODES } from '#spec/k8s.ts';

/** Text by annotation; undefined: it is not to be there. */
export type Annotations = Readonly<Record<string, string | undefined>>;

export class AnnotationPublisher {
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
   * Brings what the cluster says to what is wanted, all in one write; returns at once. Asked after each pass with what was
   * heard last: what fails is tried again then.
   */
  publish(said: Annotations, wanted: Annotations): void {
    const changed = Object.entries(wanted).filter(([key, text]) => said[key] !== text);
    if (this.#busy || changed.length === 0) return;
    this.#busy = true;
    void this.#patch(Object.fromEntries(changed.map(([key, text]) => [key, text ?? null]))).finally(() => {
      this.#busy = false;
    });
  }

  async #patch(annotations: Readonly<Record<string, string | null>>): Promise<void> {
    try {
      await this.#client.patch(NODES, { name: this.#node }, { metadata: { annotations } }, { type: 'merge' });
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'cannot tell the cluster what the others must know of this node');
    }
  }
}
