/** Notices -> Event objects, in the background: they never hold up or fail the work that they tell of. */

import { isNotFound } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import type { Clock } from '#feed/clock.ts';
import { timestamp } from '#serve/controller/world.ts';
import type { Notice } from '#serve/controller/write.ts';
import { EVENTS, type KubeEvent } from '#spec/k8s.ts';

/** Events that wait at most: more are dropped, the oldest last. */
const MOST_WAITING = 1_000;
/** Events whose repetitions are counted in one object. */
const MOST_KNOWN = 4_096;
const AT_ONCE = 4;
/** Events let the writes that they tell of go first, ms. */
const DELAY_MS = 50;

export class Notices {
  readonly #client: Pick<ApiClient, 'create' | 'patch'>;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #waiting: Notice[] = [];
  readonly #known = new Map<string, { readonly name: string; readonly count: number }>();
  #running = 0;
  #sequence = 0;

  constructor(client: Pick<ApiClient, 'create' | 'patch'>, clock: Clock, onError: (error: unknown) => void) {
    this.#client = client;
    this.#clock = clock;
    this.#onError = onError;
  }

  tell(notice: Notice): void {
    if (this.#waiting.length >= MOST_WAITING) return;
    this.#waiting.push(notice);
    if (this.#running < AT_ONCE) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#running++;
    await this.#clock.sleep(DELAY_MS);
    for (let notice = this.#waiting.shift(); notice !== undefined; notice = this.#waiting.shift()) {
      await this.#write(notice).catch(this.#onError);
    }
    this.#running--;
  }

  async #write(notice: Notice): Promise<void> {
    const key = JSON.stringify([notice.about.uid, notice.about.name, notice.reason, notice.message, notice.component]);
    const known = this.#known.get(key);
    const now = timestamp(this.#clock.now());
    const namespace = notice.about.namespace ?? 'default';
    if (known !== undefined) {
      const count = known.count + 1;
      this.#known.set(key, { ...known, count });
      try {
        await this.#client.patch(EVENTS, { namespace, name: known.name }, { count, lastTimestamp: now });
        return;
      } catch (error) {
        // Events have an end, or somebody deleted it: then it is a first one again.
        if (!isNotFound(error)) throw error;
      }
    }
    const event = this.#event(notice, namespace, now);
    this.#remember(key, event.metadata.name ?? '');
    await this.#client.create(EVENTS, event);
  }

  #event(notice: Notice, namespace: string, now: string): KubeEvent {
    // As the clients of Kubernetes name events: the object's name, and a time that is never the same twice.
    const stamp = (BigInt(this.#clock.now()) * 1_000_000n + BigInt(this.#sequence++ % 1_000_000)).toString(16);
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, name: `${notice.about.name}.${stamp}` },
      involvedObject: notice.about,
      type: notice.type,
      reason: notice.reason,
      message: notice.message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: notice.component },
      reportingComponent: notice.component,
      reportingInstance: '',
    };
  }

  #remember(key: string, name: string): void {
    this.#known.set(key, { name, count: 1 });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_KNOWN) break;
      this.#known.delete(oldest);
    }
  }
}
