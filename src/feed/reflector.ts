/**
 * Keeps a copy of one resource: list, then watch, for ever.
 *
 * It survives what happens to the API: while nothing answers the copy stays as it was last known; a broken watch goes
 * on at the version it had reached; a version that the server has forgotten (410) leads to a new list, and what is
 * missing from it is reported as deleted.
 */

import { ApiError, isGone } from '#feed/api-error.ts';
import { Backoff, type BackoffLimits } from '#feed/backoff.ts';
import type { ApiClient, WatchEvent } from '#feed/client.ts';
import { type Clock, systemClock } from '#feed/clock.ts';
import { type Change, Store } from '#feed/store.ts';
import type { KubeList, KubeObject, Resource } from '#spec/k8s.ts';

/** Where a reflector reads: the API, or a test. */
export interface ListWatch<T extends KubeObject> {
  /** For logs: `pods`, `nodes spec.nodeName=node1`. */
  readonly name: string;
  list(signal: AbortSignal): Promise<KubeList<T>>;
  watch(resourceVersion: string, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
}

export interface Selector {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ReflectorOptions {
  readonly clock?: Clock;
  readonly backoff?: BackoffLimits;
  /** Told of each failure, for a log; `waitMs` is how long until the next try. */
  readonly onError?: (source: string, error: unknown, waitMs: number) => void;
}

/** What a handler hears. 'synced' comes once, after the objects of the first list. */
export type ReflectorEvent<T> = Change<T> | { readonly type: 'synced' };

const BACKOFF: BackoffLimits = { firstMs: 100, maxMs: 10_000 };
/** A watch is renewed after about this long, so that a connection that died unseen does not stay for ever. */
const WATCH_SECONDS = 300;
const PAGE = 500;

/** The objects of a resource, in one namespace or all, that the selectors let through. */
export function listWatch<T extends KubeObject>(
  client: ApiClient,
  resource: Resource<T>,
  selector: Selector = {},
  clock: Clock = systemClock,
): ListWatch<T> {
  const words = [resource.plural, selector.namespace, selector.fieldSelector, selector.labelSelector];
  return {
    name: words.filter((word) => word !== undefined).join(' '),
    list: (signal) => listAll(client, resource, selector, signal),
    watch: (resourceVersion, signal) =>
      client.watch(resource, {
        ...selector,
        resourceVersion,
        timeoutSeconds: Math.round(WATCH_SECONDS * (1 + clock.random())),
        signal,
      }),
  };
}

async function listAll<T extends KubeObject>(
  client: ApiClient,
  resource: Resource<T>,
  selector: Selector,
  signal: AbortSignal,
): Promise<KubeList<T>> {
  const items: T[] = [];
  let page = await client.list(resource, { ...selector, limit: PAGE, signal });
  items.push(...page.items);
  while (page.metadata.continue) {
    page = await client.list(resource, { ...selector, limit: PAGE, continue: page.metadata.continue, signal });
    items.push(...page.items);
  }
  return { ...page, items };
}

export class Reflector<T extends KubeObject> {
  readonly #source: ListWatch<T>;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #onError: NonNullable<ReflectorOptions['onError']>;
  readonly #handlers = new Set<(event: ReflectorEvent<T>) => void>();
  readonly #synced = Promise.withResolvers<void>();
  #isSynced = false;
  #wasGone = false;
  #version: string | undefined;
  #connectedSince: number | undefined;
  #running: Promise<void> | undefined;

  /** The objects as last known. Writers may `observe` their own writes in it. */
  readonly store: Store<T>;

  constructor(source: ListWatch<T>, options: ReflectorOptions = {}) {
    this.#source = source;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff(options.backoff ?? BACKOFF, () => this.#clock.random());
    this.#onError = options.onError ?? (() => {});
    this.store = new Store<T>((change) => this.#tell(change));
  }

  /** The first list has ended: from now on the store is complete, though perhaps old while the API is away. */
  get synced(): boolean {
    return this.#isSynced;
  }

  /** Resolves at the first end of a list; never rejects. */
  whenSynced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Since when (ms, of the clock) the watch stands without a break; undefined while the API is away. */
  get connectedSince(): number | undefined {
    return this.#connectedSince;
  }

  /** Calls the handler for everything known now, then for each change, in order. Disposing ends it. */
  onChange(handler: (event: ReflectorEvent<T>) => void): Disposable {
    for (const [key, object] of this.store.objects) handler({ type: 'set', key, object });
    if (this.#isSynced) handler({ type: 'synced' });
    this.#handlers.add(handler);
    return { [Symbol.dispose]: () => this.#handlers.delete(handler) };
  }

  /**
   * Runs until the signal ends it; never rejects. One that several share runs once, until the signal of the first of
   * them ends it: all wait for that.
   */
  run(signal: AbortSignal): Promise<void> {
    this.#running ??= this.#run(signal).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#cycle(signal);
      } catch (error) {
        this.#connectedSince = undefined;
        if (signal.aborted) return;
        if (mustRelist(error)) this.#version = undefined;
        await this.#pause(error, signal);
      }
    }
  }

  async #pause(error: unknown, signal: AbortSignal): Promise<void> {
    // A forgotten version is no fault of the server: list at once, unless that happens again and again.
    const atOnce = isGone(error) && !this.#wasGone;
    this.#wasGone = isGone(error);
    if (atOnce) return;
    const waitMs = this.#backoff.next();
    this.#onError(this.#source.name, error, waitMs);
    await this.#clock.sleep(waitMs, signal);
  }

  /** One list, if one is needed, and one watch to its end. */
  async #cycle(signal: AbortSignal): Promise<void> {
    if (this.#version === undefined) await this.#list(signal);
    this.#connectedSince ??= this.#clock.now();
    const started = this.#clock.now();
    let events = 0;
    for await (const event of this.#source.watch(this.#version ?? '', signal)) {
      events++;
      this.#wasGone = false;
      this.#backoff.reset();
      this.#take(event);
    }
    // A server that ends each watch at once must not be asked in a tight loop.
    if (events === 0 && this.#clock.now() - started < 1_000) await this.#clock.sleep(this.#backoff.next(), signal);
    else this.#backoff.reset();
  }

  async #list(signal: AbortSignal): Promise<void> {
    const list = await this.#source.list(signal);
    this.#version = list.metadata.resourceVersion ?? '';
    this.store.replace(list.items, this.#version);
    if (this.#isSynced) return;
    this.#isSynced = true;
    this.#tell({ type: 'synced' });
    this.#synced.resolve();
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') {
      this.store.seen(event.resourceVersion);
      if (event.resourceVersion !== '') this.#version = event.resourceVersion;
      return;
    }
    this.store.apply(event.type, event.object);
    this.#version = event.object.metadata.resourceVersion ?? this.#version;
  }

  #tell(event: ReflectorEvent<T>): void {
    for (const handler of this.#handlers) handler(event);
  }
}

/** The server answered and will not go on from this version; a mere break of the line keeps it. */
function mustRelist(error: unknown): boolean {
  return error instanceof ApiError && error.code !== 429 && error.code < 500 ? true : isGone(error) || isTooNew(error);
}

/** The version is one that the server has not reached: it was restored from an older copy (504, "Too large resource version"). */
function isTooNew(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.status.details?.causes?.some((c) => c.reason === 'ResourceVersionTooLarge') === true
  );
}
