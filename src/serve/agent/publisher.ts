/** Says once that this node's network stands, and keeps trying until the API has heard it. */

import type { Log } from '#cni/log.ts';
import { Backoff } from '#feed/backoff.ts';
import type { ApiClient } from '#feed/client.ts';
import { type Clock, systemClock } from '#feed/clock.ts';
import { publishNetworkAvailable } from '#serve/agent/node-condition.ts';

export class Publisher {
  readonly #client: ApiClient;
  readonly #node: string;
  readonly #log: Log;
  readonly #clock: Clock;
  #state: 'untold' | 'telling' | 'told' = 'untold';

  constructor(client: ApiClient, node: string, log: Log, clock: Clock = systemClock) {
    this.#client = client;
    this.#node = node;
    this.#log = log;
    this.#clock = clock;
  }

  /** The Node object is gone: a new one of this name has to be told again. */
  forget(): void {
    if (this.#state === 'told') this.#state = 'untold';
  }

  /** Returns at once; does nothing if it has been said. */
  publish(signal: AbortSignal): void {
    if (this.#state === 'untold') void this.#tell(signal);
  }

  async #tell(signal: AbortSignal): Promise<void> {
    this.#state = 'telling';
    const backoff = new Backoff({ firstMs: 200, maxMs: 30_000 }, () => this.#clock.random());
    while (!signal.aborted) {
      try {
        await publishNetworkAvailable(this.#client, this.#node, new Date(this.#clock.now()));
        this.#state = 'told';
        return;
      } catch (error) {
        this.#log.warn({ error: String(error) }, 'cannot tell the cluster that this node has its network');
        await this.#clock.sleep(backoff.next(), signal);
      }
    }
  }
}
