/**
 * Attachments whose pod went without DEL, and of which the runtime says nothing by GC: found and undone.
 *
 * Two observations, some time apart: the API has no such pod on this node (or has it with another attachment's
 * address), and nobody lives behind the interface. Before it is undone the API itself is asked for the pod and the
 * kernel looked at once more, under the container's lock. While the API does not answer nothing is concluded.
 */

import { type EndpointKey, keyOf } from '#cni/ipam/record.ts';
import type { Log } from '#cni/log.ts';
import type { Clock } from '#feed/clock.ts';
import type { Addr } from '#net/addr.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import type { Pod } from '#spec/k8s.ts';

/** This node's pods, by the API. */
export interface NodePods {
  /** The whole list has been heard. */
  readonly synced: boolean;
  /** As last heard. */
  find(namespace: string, name: string): Pod | undefined;
  /** As the API says now, if it is on this node. @throws when nobody answers */
  ask(namespace: string, name: string): Promise<Pod | undefined>;
}

export interface LeakOptions {
  readonly pods: NodePods;
  /** What has an address here and was finished. */
  attachments(): readonly LocalEndpoint[];
  isInhabited(endpoint: LocalEndpoint): boolean;
  /** Undoes the attachment under its container's lock if `isGone` then says so; false: it does not. */
  forget(endpoint: LocalEndpoint, isGone: () => Promise<boolean>): Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
  /** Between the observations, ms. Default 60 000. */
  readonly graceMs?: number;
}

const GRACE_MS = 60_000;
/** Looks are no rarer than this, ms. */
const LOOK_MS = 30_000;

export class LeakCollector {
  readonly #options: LeakOptions;
  readonly #graceMs: number;
  /** When each suspect was first seen to be one, ms of the clock. */
  readonly #since = new Map<EndpointKey, number>();

  constructor(options: LeakOptions) {
    this.#options = options;
    this.#graceMs = options.graceMs ?? GRACE_MS;
  }

  /** Looks again and again until the signal ends it. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      await this.look().catch((error) =>
        log.warn({ error: String(error) }, 'cannot tell what is leaked; trying again'),
      );
      await clock.sleep(Math.min(LOOK_MS, Math.max(50, this.#graceMs / 2)), signal);
    }
  }

  /** One look. @throws when the API does not answer */
  async look(): Promise<void> {
    const { pods, attachments, clock } = this.#options;
    if (!pods.synced) return;
    const suspects = attachments().filter((endpoint) => this.#isSuspect(endpoint));
    const keys = new Set(suspects.map(keyOf));
    for (const key of this.#since.keys()) if (!keys.has(key)) this.#since.delete(key);
    for (const endpoint of suspects) {
      const key = keyOf(endpoint);
      const since = this.#since.get(key) ?? clock.now();
      this.#since.set(key, since);
      if (clock.now() - since >= this.#graceMs && since !== clock.now()) await this.#undo(endpoint);
    }
  }

  /** Somebody took these addresses back by hand: that was the other observation. @throws as `look` */
  async doubt(addrs: readonly Addr[]): Promise<void> {
    const { pods, attachments } = this.#options;
    if (!pods.synced) return;
    const doubted = attachments().filter((endpoint) => endpoint.addrs.some((addr) => addrs.includes(addr)));
    for (const endpoint of doubted) if (this.#isSuspect(endpoint)) await this.#undo(endpoint);
  }

  #isSuspect(endpoint: LocalEndpoint): boolean {
    const { podNamespace: namespace, podName: name } = endpoint;
    // Of a container that is no pod's nobody but its runtime knows.
    if (namespace === undefined || name === undefined) return false;
    const pod = this.#options.pods.find(namespace, name);
    return this.#hasNot(pod, endpoint) && !this.#options.isInhabited(endpoint);
  }

  /** The pod is gone, or was made anew under its name and has its address from another attachment. */
  #hasNot(pod: Pod | undefined, { addrs, podNamespace, podName, containerId }: LocalEndpoint): boolean {
    if (pod === undefined) return true;
    const has = pod.status?.podIPs?.map(({ ip }) => ip) ?? [];
    if (has.length === 0 || addrs.some((addr) => has.includes(addr))) return false;
    return this.#options
      .attachments()
      .some(
        (other) =>
          other.podName === podName && other.podNamespace === podNamespace && other.containerId !== containerId,
      );
  }

  async #undo(endpoint: LocalEndpoint): Promise<void> {
    const { pods, isInhabited, forget, log } = this.#options;
    const { podNamespace = '', podName = '', addrs, containerId } = endpoint;
    const undone = await forget(endpoint, async () => {
      const pod = await pods.ask(podNamespace, podName);
      return this.#hasNot(pod, endpoint) && !isInhabited(endpoint);
    });
    this.#since.delete(keyOf(endpoint));
    if (!undone) return;
    const pod = `${podNamespace}/${podName}`;
    log.warn({ pod, addrs, container: containerId }, 'took back the address of a pod that went without DEL');
  }
}
