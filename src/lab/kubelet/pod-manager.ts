/** All pods of the node: a worker each, fed by the API's pods and by what happens to their processes. */

import { mkdirSync, watch } from 'node:fs';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import { isStaticUid } from '#lab/kubelet/mirror/static-pod.ts';
import { podKey, type RunnablePod } from '#lab/kubelet/pod.ts';
import { findPods } from '#lab/kubelet/restore.ts';
import { PodWorker } from '#lab/kubelet/worker.ts';

/** How often it looks for deaths that nobody tells, ms. */
const INSPECT_MS = 2_000;
/** How often volumes follow their ConfigMaps and Secrets, ms. */
const REFRESH_MS = 30_000;

export class PodManager implements Disposable {
  readonly #ctx: KubeletContext;
  /** By uid. */
  readonly #workers = new Map<string, PodWorker>();
  readonly #watcher;
  readonly #timers: readonly NodeJS.Timeout[];
  #static: readonly RunnablePod[] = [];

  /** Takes up the pods that are there already; they are looked after from now on, with or without the API. */
  constructor(ctx: KubeletContext) {
    this.#ctx = ctx;
    mkdirSync(ctx.layout.exits, { recursive: true });
    this.#watcher = watch(ctx.layout.exits, (_, name) => this.#exited(name ?? ''));
    this.#watcher.on('error', (error) => ctx.log.warn({ err: error }, 'ends of containers are seen late'));
    this.#timers = [
      setInterval(() => this.#inspect(), INSPECT_MS),
      setInterval(() => void this.#refresh(), REFRESH_MS),
    ];
  }

  /** Separate from the constructor: workers ask the manager for addresses of pods. */
  restore(): void {
    for (const found of findPods(this.#ctx.layout)) {
      const worker = this.#add(found.pod, found);
      this.#ctx.log.info({ pod: podKey(found.pod), running: worker.sandbox?.pid !== undefined }, 'found pod');
      worker.wake();
    }
  }

  #add(pod: RunnablePod, found?: ConstructorParameters<typeof PodWorker>[2]): PodWorker {
    const { uid } = pod.metadata;
    const worker = new PodWorker(this.#ctx, pod, found, () => {
      this.#workers.delete(uid);
      if (isStaticUid(uid)) this.#startStatic();
    });
    this.#workers.set(uid, worker);
    return worker;
  }

  /** The API's word on a pod of this node. */
  set(pod: RunnablePod): void {
    const known = this.#workers.get(pod.metadata.uid);
    if (known !== undefined) known.update(pod);
    else if (isOver(pod)) this.#release(pod);
    else this.#add(pod).wake();
    this.#removeNamesakes(pod);
  }

  /** Deleted while it had already ended and nothing of it is here. */
  #release(pod: RunnablePod): void {
    if (pod.metadata.deletionTimestamp === undefined) return;
    this.#ctx.release(pod).catch((error: unknown) => this.#ctx.log.warn({ err: error }, 'cannot release pod'));
  }

  /** A pod of the same name but another uid has taken its place. */
  #removeNamesakes(pod: RunnablePod): void {
    for (const [uid, worker] of this.#workers) {
      if (uid !== pod.metadata.uid && podKey(worker.pod) === podKey(pod)) worker.remove();
    }
  }

  delete(pod: RunnablePod): void {
    this.#workers.get(pod.metadata.uid)?.remove();
  }

  /** The API has told of all pods: those that it did not name are gone. Of static pods it knows nothing. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const [uid, worker] of this.#workers) if (!uids.has(uid) && !isStaticUid(uid)) worker.remove();
  }

  /** All static pods that are to be. */
  keepStatic(pods: readonly RunnablePod[]): void {
    this.#static = pods;
    const uids = new Set(pods.map((pod) => pod.metadata.uid));
    for (const [uid, worker] of this.#workers) if (isStaticUid(uid) && !uids.has(uid)) worker.remove(true);
    this.#startStatic();
  }

  /** One whose file has changed begins when what ran by the old text has ended. */
  #startStatic(): void {
    const ours = this.workers().filter(({ pod }) => isStaticUid(pod.metadata.uid));
    const keys = new Set(ours.map(({ pod }) => podKey(pod)));
    for (const pod of this.#static) {
      const known = this.#workers.get(pod.metadata.uid);
      if (known !== undefined) known.update(pod);
      else if (!keys.has(podKey(pod))) this.#add(pod).wake();
    }
  }

  get(namespace: string, name: string, uid?: string): PodWorker | undefined {
    if (uid) return this.#workers.get(uid);
    return this.workers().find(({ pod }) => pod.metadata.namespace === namespace && pod.metadata.name === name);
  }

  byUid(uid: string): PodWorker | undefined {
    return this.#workers.get(uid);
  }

  workers(): PodWorker[] {
    return [...this.#workers.values()];
  }

  /** An exit file has come or gone. */
  #exited(id: string): void {
    for (const worker of this.#workers.values()) {
      for (const keeper of worker.keepers.values()) if (keeper.latest?.id === id) this.#safely(() => keeper.inspect());
    }
  }

  #inspect(): void {
    for (const worker of this.#workers.values()) this.#safely(() => worker.inspect());
  }

  /** A full disk must not end the kubelet: the next look tries again. */
  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#ctx.log.error({ err: error }, 'cannot note what became of a container');
    }
  }

  async #refresh(): Promise<void> {
    for (const worker of this.workers()) await worker.refreshVolumes();
  }

  /** The pods run on. */
  [Symbol.dispose](): void {
    this.#watcher.close();
    for (const timer of this.#timers) clearInterval(timer);
    for (const worker of this.#workers.values()) worker.close();
  }
}

/** Nothing needs to be made for it: it has ended, or it was deleted before this kubelet knew of it. */
function isOver(pod: RunnablePod): boolean {
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed' || pod.metadata.deletionTimestamp !== undefined;
}
