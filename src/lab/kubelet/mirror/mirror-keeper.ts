/**
 * Mirrors in the API of what runs on the node without it: one for each static pod and each program of the lab, made again
 * when somebody deletes it, gone when what it shows has gone. Static pods do not depend on them.
 */

import type { Logger } from 'pino';
import { ApiError, isAlreadyExists, isNotFound } from '#feed/api-error.ts';
import { mirrorOf } from '#lab/kubelet/mirror/static-pod.ts';
import { type PodStatus, podKey, type RunnablePod } from '#lab/kubelet/pod.ts';
import type { StatusWriter } from '#lab/kubelet/status-writer.ts';
import { MIRROR } from '#spec/k8s.ts';

/** What of the API it needs. */
export interface MirrorApi {
  /** The uid of the node's own object. @throws ApiError 404 before it is registered */
  nodeUid(): Promise<string>;
  create(mirror: RunnablePod): Promise<unknown>;
  /** At once, and only this very one. */
  remove(mirror: RunnablePod): Promise<unknown>;
}

export type MirrorStep =
  | { readonly do: 'create'; readonly pod: RunnablePod }
  | { readonly do: 'remove'; readonly mirror: RunnablePod };

/** What is to be done so that there is a mirror of each pod and no other, both by `namespace/name`. Pure. */
export function mirrorSteps(
  wanted: ReadonlyMap<string, RunnablePod>,
  mirrors: ReadonlyMap<string, RunnablePod>,
): MirrorStep[] {
  const removed = [...mirrors].filter(([key, mirror]) => !shows(mirror, wanted.get(key)));
  const missing = [...wanted].filter(([key]) => !mirrors.has(key));
  return [
    ...removed.map(([, mirror]) => ({ do: 'remove', mirror }) as const),
    ...missing.map(([, pod]) => ({ do: 'create', pod }) as const),
  ];
}

function shows({ metadata }: RunnablePod, pod: RunnablePod | undefined): boolean {
  return metadata.annotations?.[MIRROR] === pod?.metadata.uid && metadata.deletionTimestamp === undefined;
}

const RETRY_MS = 1_000;
/** Who deletes a mirror and waits until it is gone must have time to see that before there is one of its name again, ms. */
const AGAIN_MS = 2_000;

export class MirrorKeeper implements Disposable {
  readonly #node: string;
  readonly #api: MirrorApi;
  readonly #writer: Pick<StatusWriter, 'submit' | 'forget'>;
  readonly #log: Logger;
  /** Source -> its pods, by `namespace/name`. */
  readonly #wanted = new Map<string, ReadonlyMap<string, RunnablePod>>();
  readonly #mirrors = new Map<string, RunnablePod>();
  /** By the uid of what is shown. */
  readonly #statuses = new Map<string, PodStatus>();
  /** `namespace/name` of what was deleted a moment ago. */
  readonly #resting = new Map<string, NodeJS.Timeout>();
  readonly #againMs: number;
  #onDeleted: (pod: RunnablePod) => void = () => {};
  #synced = false;
  #busy = false;
  #again = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    node: string,
    api: MirrorApi,
    writer: Pick<StatusWriter, 'submit' | 'forget'>,
    log: Logger,
    againMs = AGAIN_MS,
  ) {
    this.#againMs = againMs;
    this.#node = node;
    this.#api = api;
    this.#writer = writer;
    this.#log = log;
  }

  /** Calls back with what a mirror showed, and still should, when somebody has deleted the mirror. */
  whenDeleted(call: (pod: RunnablePod) => void): void {
    this.#onDeleted = call;
  }

  /** All that one source (`files`, `programs`) has to show. */
  want(source: string, pods: readonly RunnablePod[]): void {
    this.#wanted.set(source, new Map(pods.map((pod) => [podKey(pod), pod])));
    this.#wake();
  }

  /** The status of something that is shown, by its own uid. */
  submit(pod: RunnablePod, status: PodStatus, lingers: boolean): void {
    this.#statuses.set(pod.metadata.uid, status);
    const mirror = this.#mirrors.get(podKey(pod));
    if (mirror !== undefined && shows(mirror, pod)) this.#writer.submit(mirror, status, lingers);
  }

  forget(uid: string): void {
    this.#statuses.delete(uid);
  }

  /** The API has or has changed a mirror of this node. */
  set(mirror: RunnablePod): void {
    const known = this.#mirrors.get(podKey(mirror));
    if (known !== undefined && known.metadata.uid !== mirror.metadata.uid) this.#writer.forget(known.metadata.uid);
    this.#mirrors.set(podKey(mirror), mirror);
    const status = this.#statuses.get(mirror.metadata.annotations?.[MIRROR] ?? '');
    if (status !== undefined && mirror.metadata.deletionTimestamp === undefined)
      this.#writer.submit(mirror, status, false);
    this.#wake();
  }

  delete(mirror: RunnablePod): void {
    this.#writer.forget(mirror.metadata.uid);
    const key = podKey(mirror);
    if (this.#mirrors.get(key)?.metadata.uid !== mirror.metadata.uid) return;
    this.#mirrors.delete(key);
    const shown = [...this.#wanted.values()].flatMap((pods) => pods.get(key) ?? []);
    for (const pod of shown) if (pod.metadata.uid === mirror.metadata.annotations?.[MIRROR]) this.#onDeleted(pod);
    clearTimeout(this.#resting.get(key));
    const timer = setTimeout(() => {
      this.#resting.delete(key);
      this.#wake();
    }, this.#againMs);
    this.#resting.set(key, timer.unref());
  }

  /** The API has told of all mirrors: what is missing can be made. */
  synced(): void {
    this.#synced = true;
    this.#wake();
  }

  #wake(): void {
    this.#again = true;
    if (this.#synced && !this.#busy && !this.#closed) void this.#work();
  }

  async #work(): Promise<void> {
    this.#busy = true;
    clearTimeout(this.#timer);
    while (this.#again && !this.#closed) {
      this.#again = false;
      const all = [...this.#wanted.values()].flatMap((pods) => [...pods]);
      const wanted = new Map(all.filter(([key]) => !this.#resting.has(key)));
      for (const step of mirrorSteps(wanted, this.#mirrors)) await this.#take(step);
    }
    this.#busy = false;
  }

  async #take(step: MirrorStep): Promise<void> {
    try {
      if (step.do === 'remove') await this.#api.remove(step.mirror);
      else await this.#api.create(mirrorOf(step.pod, { name: this.#node, uid: await this.#api.nodeUid() }));
    } catch (error) {
      // What the watch will tell in a moment anyway.
      if (isAlreadyExists(error) || (step.do === 'remove' && isGoneOrOther(error))) return;
      const pod = podKey(step.do === 'remove' ? step.mirror : step.pod);
      // The node is registered a moment after the first look; a namespace may come later.
      if (!isNotFound(error)) this.#log.warn({ pod, step: step.do, err: error }, 'cannot mend a mirror pod');
      this.#later();
    }
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wake(), RETRY_MS).unref();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const timer of [this.#timer, ...this.#resting.values()]) clearTimeout(timer);
  }
}

/** 409: the uid is another's. */
function isGoneOrOther(error: unknown): boolean {
  return isNotFound(error) || (error instanceof ApiError && error.code === 409);
}
