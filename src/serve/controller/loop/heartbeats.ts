/** When each kubelet was last heard of, by this process's clock. */

import type { Change } from '#feed/store.ts';
import { isOf } from '#serve/controller/controller.ts';
import { LEASE_NAMESPACE } from '#serve/controller/lifecycle/lifecycle.ts';
import { conditionOf, type KubeObject, LEASES, NODES, type Resource } from '#spec/k8s.ts';

/**
 * Counts changes of what kubelets write, not the times in it: clocks of two machines differ, and a lease that was
 * renewed while nobody could see it is news when it is seen.
 */
export class Heartbeats {
  readonly #now: () => number;
  readonly #leases = new Map<string, Beat>();
  readonly #nodes = new Map<string, Beat>();

  constructor(now: () => number) {
    this.#now = now;
  }

  hear(resource: Resource<KubeObject>, change: Change<KubeObject>): void {
    const name = change.object.metadata.name ?? '';
    if (isOf(LEASES, resource, change)) {
      const ours = change.type === 'set' && change.object.metadata.namespace === LEASE_NAMESPACE;
      if (ours) this.#beat(this.#leases, name, change.object.spec?.renewTime);
    } else if (isOf(NODES, resource, change)) {
      const ready = conditionOf(change.object.status?.conditions, 'Ready');
      if (change.type === 'set') this.#beat(this.#nodes, name, ready?.lastHeartbeatTime);
      else for (const beats of [this.#leases, this.#nodes]) beats.delete(name);
    }
  }

  /** ms since 1970; undefined if never. */
  heard(node: string): number | undefined {
    const beats = [this.#leases.get(node)?.at, this.#nodes.get(node)?.at].filter((at) => at !== undefined);
    return beats.length === 0 ? undefined : Math.max(...beats);
  }

  #beat(beats: Map<string, Beat>, node: string, said: string | null | undefined): void {
    if (beats.has(node) && beats.get(node)?.said === said) return;
    beats.set(node, { said, at: this.#now() });
  }
}

interface Beat {
  /** The time that the kubelet wrote. */
  readonly said: string | null | undefined;
  /** When it was seen, ms since 1970. */
  readonly at: number;
}
