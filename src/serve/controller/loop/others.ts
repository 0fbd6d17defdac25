/**
 * Watches of kinds that no controller names, for the garbage collector: what people define, and what is only stored. They
 * are found by discovery, again and again, and begin after the others, so that a cluster is no later for them.
 */

import type { ApiClient } from '#feed/client.ts';
import type { Clock } from '#feed/clock.ts';
import { ifServed } from '#feed/if-served.ts';
import { listWatch, Reflector } from '#feed/reflector.ts';
import type { Change, Store } from '#feed/store.ts';
import { servedKinds } from '#serve/controller/loop/discover.ts';
import type { KubeObject, Resource } from '#spec/k8s.ts';

/** How soon a new kind is noticed, ms. */
const LOOK_MS = 5_000;
/** They own nothing and nothing owns them, and there are many. */
const IGNORED = new Set(['Event']);

export interface OthersOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  /** Watched whole by somebody else. */
  readonly covered: (resource: Resource<KubeObject>) => boolean;
  readonly hear: (resource: Resource<KubeObject>, change: Change<KubeObject>) => void;
  /** A kind more is known: what was undecided because of it is to be looked at again. */
  readonly again: () => void;
  readonly onError: (source: string, error: unknown, waitMs: number) => void;
}

interface Watched {
  readonly resource: Resource<KubeObject>;
  readonly reflector: Reflector<KubeObject>;
  readonly end: AbortController;
}

export class Others {
  readonly #options: OthersOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: OthersOptions) {
    this.#options = options;
  }

  /** Those that are known whole. */
  get resources(): readonly Resource<KubeObject>[] {
    return [...this.#watched.values()].flatMap(({ resource, reflector }) => (reflector.synced ? [resource] : []));
  }

  storeOf<T extends KubeObject>(resource: Resource<T>): Store<T> | undefined {
    // The store was filled through this very resource, so its objects are of this type.
    return this.#watched.get(nameOf(resource))?.reflector.store as Store<T> | undefined;
  }

  /** Runs until the signal ends it. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, onError } = this.#options;
    while (!signal.aborted) {
      try {
        const served = await servedKinds(client, ['list', 'watch', 'delete']);
        this.#dropAllBut(served);
        for (const resource of served) this.#watch(resource, signal);
      } catch (error) {
        onError('discovery', error, LOOK_MS);
      }
      await clock.sleep(LOOK_MS, signal);
    }
  }

  /** Nothing is known any more of a kind, or a version, that is not served: least of all that its objects are gone. */
  #dropAllBut(served: readonly Resource<KubeObject>[]): void {
    for (const [name, { resource, end }] of this.#watched) {
      if (served.some((each) => nameOf(each) === name && each.version === resource.version)) continue;
      this.#watched.delete(name);
      end.abort();
    }
  }

  #watch(resource: Resource<KubeObject>, signal: AbortSignal): void {
    const { client, clock, covered, onError } = this.#options;
    if (IGNORED.has(resource.kind) || covered(resource) || this.#watched.has(nameOf(resource))) return;
    const reflector = new Reflector(ifServed(listWatch(client, resource, {}, clock), clock), { clock, onError });
    const end = new AbortController();
    this.#watched.set(nameOf(resource), { resource, reflector, end });
    void reflector.run(AbortSignal.any([signal, end.signal]));
    void reflector.whenSynced().then(() => this.#known(resource, reflector));
  }

  #known(resource: Resource<KubeObject>, reflector: Reflector<KubeObject>): void {
    reflector.onChange((event) => {
      if (event.type !== 'synced') this.#options.hear(resource, event);
    });
    this.#options.again();
  }
}

function nameOf({ plural, group }: Resource<KubeObject>): string {
  return `${plural}.${group}`;
}
