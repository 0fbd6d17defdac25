/** Services and their EndpointSlices, followed only while somebody wants to know of them: there may be many. */

import type { ApiClient } from '#feed/client.ts';
import { ifAllowed } from '#feed/if-served.ts';
import { type ListWatch, listWatch, Reflector, type ReflectorEvent, type ReflectorOptions } from '#feed/reflector.ts';
import { isLocal, isOn, type ServiceObjects, servicesOn } from '#spec/service-addresses.ts';
import { ENDPOINT_SLICES, type EndpointSlice, SERVICES, type Service } from '#spec/services.ts';

export interface ServiceSources {
  readonly services: ListWatch<Service>;
  readonly slices: ListWatch<EndpointSlice>;
}

export function serviceSources(client: ApiClient): ServiceSources {
  return { services: listWatch(client, SERVICES), slices: listWatch(client, ENDPOINT_SLICES) };
}

export interface ServiceFeedOptions extends ReflectorOptions {
  readonly node: string;
  /** Told when what matters for the node may have become another. */
  readonly onChange: () => void;
}

interface Followed {
  readonly services: Reflector<Service>;
  readonly slices: Reflector<EndpointSlice>;
  readonly stop: AbortController;
}

export class ServiceFeed implements Disposable {
  readonly #sources: ServiceSources;
  readonly #options: ServiceFeedOptions;
  /** Plural names of kinds. */
  readonly #forbidden = new Set<string>();
  #followed: Followed | undefined;

  constructor(sources: ServiceSources, options: ServiceFeedOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  follow(wanted: boolean): void {
    if (wanted === (this.#followed !== undefined)) return;
    this.#followed?.stop.abort();
    this.#followed = wanted ? this.#begin() : undefined;
    if (!wanted) this.#forbidden.clear();
  }

  /** Nothing is followed, or its lists have ended. */
  get synced(): boolean {
    return this.#followed === undefined || (this.#followed.services.synced && this.#followed.slices.synced);
  }

  /** Of the Services that concern the node; undefined while nothing is followed. */
  get objects(): ServiceObjects | undefined {
    if (this.#followed === undefined) return undefined;
    const { services, slices } = this.#followed;
    return servicesOn({ services: services.store.values(), slices: slices.store.values() }, this.#options.node);
  }

  /** Sentences. */
  get problems(): readonly string[] {
    return [...this.#forbidden]
      .sort()
      .map(
        (name) =>
          `The API server does not let this node list ${name}: Services with externalTrafficPolicy Local are not announced`,
      );
  }

  #begin(): Followed {
    const { services, slices } = this.#sources;
    const stop = new AbortController();
    const followed = {
      services: new Reflector(this.#ifAllowed('services', services), this.#options),
      slices: new Reflector(this.#ifAllowed('endpointslices', slices), this.#options),
      stop,
    };
    const changed = () => !stop.signal.aborted && this.#options.onChange();
    followed.services.onChange((event) => concerns(event, isLocal) && changed());
    followed.slices.onChange((event) => concerns(event, (slice) => isOn(slice, this.#options.node)) && changed());
    void followed.services.run(stop.signal);
    void followed.slices.run(stop.signal);
    return followed;
  }

  #ifAllowed<T extends Service | EndpointSlice>(what: string, source: ListWatch<T>): ListWatch<T> {
    return ifAllowed(source, (forbidden) => {
      if (forbidden) this.#forbidden.add(what);
      else this.#forbidden.delete(what);
    });
  }

  [Symbol.dispose](): void {
    this.follow(false);
  }
}

/** Before the change or after it. */
function concerns<T>(event: ReflectorEvent<T>, test: (object: T) => boolean): boolean {
  if (event.type === 'synced') return true;
  return test(event.object) || (event.type === 'set' && event.previous !== undefined && test(event.previous));
}
