/** One reflector for each kind that the controllers look at. */

import type { ApiClient } from '#feed/client.ts';
import type { Clock } from '#feed/clock.ts';
import { ifServed } from '#feed/if-served.ts';
import { listWatch, Reflector, type ReflectorOptions, type Selector } from '#feed/reflector.ts';
import type { Change, Store } from '#feed/store.ts';
import { CRON_JOBS, JOBS } from '#spec/batch.ts';
import { BLOCK_AFFINITIES, IP_POOLS, IPAM_BLOCKS } from '#spec/calico.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import { DISRUPTION_BUDGETS } from '#spec/disruption.ts';
import {
  CONFIG_MAPS,
  DAEMON_SETS,
  type KubeObject,
  LEASES,
  NAMESPACES,
  NODES,
  PODS,
  type Resource,
  SERVICE_ACCOUNTS,
} from '#spec/k8s.ts';
import { CLUSTER_ROLES } from '#spec/rbac.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '#spec/services.ts';
import { CONTROLLER_REVISIONS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS } from '#spec/workloads.ts';

const SETTINGS: Selector = { namespace: CONFIG_MAP.namespace, fieldSelector: `metadata.name=${CONFIG_MAP.name}` };

/** A kind more to watch is a row more. */
export const WATCHED: readonly (readonly [Resource<KubeObject>, Selector?])[] = [
  [NAMESPACES],
  [NODES],
  [PODS],
  [DAEMON_SETS],
  [DEPLOYMENTS],
  [REPLICA_SETS],
  [STATEFUL_SETS],
  [CONTROLLER_REVISIONS],
  [JOBS],
  [CRON_JOBS],
  [DISRUPTION_BUDGETS],
  [SERVICES],
  [ENDPOINT_SLICES],
  [ENDPOINTS],
  [SERVICE_ACCOUNTS],
  [LEASES],
  [CLUSTER_ROLES],
  [CONFIG_MAPS, SETTINGS],
  [IP_POOLS],
  [IPAM_BLOCKS],
  [BLOCK_AFFINITIES],
];

export class Watches {
  readonly #reflectors: ReadonlyMap<
    string,
    { readonly resource: Resource<KubeObject>; readonly reflector: Reflector<KubeObject> }
  >;

  constructor(client: ApiClient, clock: Clock, onError: NonNullable<ReflectorOptions['onError']>) {
    this.#reflectors = new Map(
      WATCHED.map(([resource, selector]) => {
        const reflector = new Reflector(ifServed(listWatch(client, resource, selector, clock), clock), {
          clock,
          onError,
        });
        return [nameOf(resource), { resource, reflector }];
      }),
    );
  }

  /** Undefined for a kind that is not watched. */
  storeOf<T extends KubeObject>(resource: Resource<T>): Store<T> | undefined {
    // The store was filled through this very resource, so its objects are of this type.
    return this.#reflectors.get(nameOf(resource))?.reflector.store as Store<T> | undefined;
  }

  /** Kinds that are watched whole and known by now. */
  get known(): readonly Resource<KubeObject>[] {
    return WATCHED.flatMap(([resource, selector]) => {
      const isKnown = selector === undefined && this.#reflectors.get(nameOf(resource))?.reflector.synced === true;
      return isKnown ? [resource] : [];
    });
  }

  /** Whether all objects of the kind are watched. */
  covers(resource: Resource<KubeObject>): boolean {
    return WATCHED.some(([each, selector]) => nameOf(each) === nameOf(resource) && selector === undefined);
  }

  connectedSince(resource: Resource<KubeObject>): number | undefined {
    return this.#reflectors.get(nameOf(resource))?.reflector.connectedSince;
  }

  onChange(handler: (resource: Resource<KubeObject>, change: Change<KubeObject>) => void): void {
    for (const { resource, reflector } of this.#reflectors.values()) {
      reflector.onChange((event) => {
        if (event.type !== 'synced') handler(resource, event);
      });
    }
  }

  /**
   * Resolves when the first list of each has ended, or the signal ends the wait.
   * @throws TypeError for a kind that is not watched: it would look as if there were none of it
   */
  async whenSynced(resources: readonly Resource<KubeObject>[], signal: AbortSignal): Promise<void> {
    const waits = resources.map((resource) => {
      const { reflector } = this.#reflectors.get(nameOf(resource)) ?? {};
      if (reflector === undefined) throw new TypeError(`Cannot wait for ${nameOf(resource)}: it is not watched`);
      return reflector.whenSynced();
    });
    const ended = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => ended.resolve(), { once: true });
    if (signal.aborted) return;
    await Promise.race([Promise.all(waits), ended.promise]);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#reflectors.values()].map(({ reflector }) => reflector.run(signal)));
  }
}

function nameOf(resource: Resource<KubeObject>): string {
  return `${resource.plural}.${resource.group}`;
}
