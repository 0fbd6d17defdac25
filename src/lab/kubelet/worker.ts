/**
 * One pod on this node: asks `decide` what comes next, has its resources do it, and asks again, until nothing is left to
 * do. Steps run at most one a container at a time; one that fails is tried again after a while.
 */

import { join } from 'node:path';
import type { ContainerKeeper } from '#lab/kubelet/container-keeper.ts';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import { type PodStatus, podKey, type RunnablePod } from '#lab/kubelet/pod.ts';
import { PodResources } from '#lab/kubelet/pod-resources.ts';
import type { FoundPod } from '#lab/kubelet/restore.ts';
import { writeWhole } from '#lab/kubelet/runtime/disk.ts';
import type { Sandbox } from '#lab/kubelet/runtime/sandbox.ts';
import { decide, type Step } from '#lab/kubelet/status/decide.ts';
import { podStatus } from '#lab/kubelet/status/pod-status.ts';
import { type PodView, sandboxView } from '#lab/kubelet/status/view.ts';
import { VolumeError } from '#lab/kubelet/volumes/volumes.ts';
import type { Condition } from '#spec/k8s.ts';

/** Waits after a failed step, ms. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;

export class PodWorker {
  readonly #ctx: KubeletContext;
  readonly #resources: PodResources;
  #verdict: { reason: string; message: string } | undefined;
  readonly #busy = new Map<string, Promise<void>>();
  readonly #startTime: string;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  /** A step that failed, and when it may be tried again. */
  #retry: { readonly step: Step['do']; readonly at: number } | undefined;
  #conditions: readonly Condition[] = [];
  #ended = false;
  /** Whether the API has spoken of the pod in this life of the kubelet: only then are its conditions' times known. */
  #heard: boolean;
  readonly #onEnd: () => void;

  constructor(ctx: KubeletContext, pod: RunnablePod, found: FoundPod | undefined, onEnd: () => void) {
    this.#ctx = ctx;
    this.#onEnd = onEnd;
    this.#resources = new PodResources(ctx, pod, found, () => this.wake());
    this.#heard = found === undefined;
    this.#startTime = pod.status?.startTime ?? new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    this.#persist();
  }

  get pod(): RunnablePod {
    return this.#resources.pod;
  }

  get sandbox(): Sandbox | undefined {
    return this.#resources.sandbox;
  }

  keeper(container: string): ContainerKeeper | undefined {
    return this.keepers.get(container);
  }

  get keepers(): ReadonlyMap<string, ContainerKeeper> {
    return this.#resources.keepers;
  }

  /** Why a container that has not started waits: `ContainerCreating`… */
  whyWaiting(container: string): string {
    const status = this.#status(this.view());
    const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = status;
    const all = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
    return all.find(({ name }) => name === container)?.state.waiting?.reason ?? 'ContainerCreating';
  }

  /** The API's newest word on the pod. */
  update(pod: RunnablePod): void {
    const before = this.pod;
    const changed = JSON.stringify(pod.spec) !== JSON.stringify(before.spec) || isLeaving(pod) !== isLeaving(before);
    const isFirst = !this.#heard;
    this.#heard = true;
    this.#resources.update(pod);
    if (changed) this.#persist();
    if (changed || isFirst || !this.#isActive()) this.wake();
  }

  /** The API knows it no more; or, of a static pod, its file has gone: that one has its time to end. */
  remove(calmly = false): void {
    this.#resources.remove(calmly);
    this.wake();
  }

  /** Looks for what nobody tells: that pause, or a process that tends a container, has died. */
  inspect(): void {
    if (this.#resources.inspect()) this.wake();
  }

  /** Brings what ConfigMaps, Secrets and tokens have become into the files of a running pod. */
  async refreshVolumes(): Promise<void> {
    if (this.#resources.ending || this.#ended) return;
    try {
      await this.#resources.refreshVolumes();
    } catch (error) {
      this.#ctx.log.debug({ pod: podKey(this.pod), err: error }, 'volumes stay as they are');
    }
  }

  #persist(): void {
    const { pod } = this;
    const kept = { ...pod, status: { ...pod.status, startTime: this.#startTime } };
    writeWhole(join(this.#ctx.layout.pod(pod.metadata.uid), 'pod.json'), JSON.stringify(kept));
  }

  #isActive(): boolean {
    return !this.#ended && this.#busy.size > 0;
  }

  view(now = Date.now()): PodView {
    const { pod, ending, keepers } = this.#resources;
    const containers = new Map(Array.from(keepers, ([name, keeper]) => [name, keeper.view(now)]));
    const sandbox = sandboxView(this.sandbox);
    return {
      pod,
      ending,
      ...(sandbox && { sandbox }),
      containers,
      ...(this.#verdict && { verdict: this.#verdict }),
      now,
    };
  }

  /** Looks at everything again and does what is due. */
  wake(): void {
    if (this.#ended) return;
    this.#checkDeadline();
    const view = this.view();
    this.#publish(view);
    const decision = decide(view);
    for (const step of decision.steps) this.#launch(step);
    this.#askAgain(decision.askAgain);
  }

  #checkDeadline(): void {
    const limit = this.pod.spec.activeDeadlineSeconds;
    if (limit === undefined || this.#verdict !== undefined) return;
    if (Date.now() < Date.parse(this.#startTime) + limit * 1000) return;
    this.#verdict = {
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    };
  }

  #askAgain(at: number | undefined): void {
    clearTimeout(this.#timer);
    const limit = this.pod.spec.activeDeadlineSeconds;
    const deadline = limit === undefined || this.#verdict ? [] : [Date.parse(this.#startTime) + limit * 1000];
    const retry = this.#retry && this.#retry.at > Date.now() ? [this.#retry.at] : [];
    const times = [...deadline, ...retry, ...(at === undefined ? [] : [at])];
    if (times.length === 0) return;
    this.#timer = setTimeout(() => this.wake(), Math.max(5, Math.min(...times) - Date.now()));
  }

  #publish(view: PodView): void {
    if (this.#resources.removed || !this.#heard) return;
    const status = this.#status(view);
    this.#conditions = status.conditions ?? [];
    this.#ctx.statuses.submit(this.pod, status, status.phase === 'Pending' && !this.#resources.ending);
  }

  #status(view: PodView): PodStatus {
    const { runtime, options } = this.#ctx;
    const known = { hostIp: options.nodeIp, startTime: this.#startTime, own: this.#conditions };
    return podStatus(view, { runtimeName: runtime.name, ...known });
  }

  #launch(step: Step): void {
    const whole = !('container' in step);
    const key = 'container' in step ? step.container.name : '';
    if (this.#busy.has('') || this.#busy.has(key)) return;
    if (this.#retry?.step === step.do && this.#retry.at > Date.now()) return;
    const others = whole ? [...this.#busy.values()] : [];
    const since = performance.now();
    const work = Promise.all(others)
      .then(() => this.#perform(step))
      .then(
        () => this.#succeeded(step, performance.now() - since),
        (error: unknown) => this.#failed(step, error),
      )
      .finally(() => {
        this.#busy.delete(key);
        this.wake();
      });
    this.#busy.set(key, work);
  }

  #succeeded(step: Step, ms: number): void {
    this.#ctx.log.debug({ pod: podKey(this.pod), step: step.do, ms: Math.round(ms) }, 'step');
    if (this.#retry?.step === step.do) this.#retry = undefined;
    if (step.do === 'sandbox') this.#failures = 0;
  }

  #failed(step: Step, error: unknown): void {
    const waitMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
    this.#retry = { step: step.do, at: Date.now() + waitMs };
    const message = error instanceof Error ? error.message : String(error);
    this.#ctx.log.warn({ pod: podKey(this.pod), step: step.do, waitMs, err: error }, 'step failed');
    if (error instanceof VolumeError) this.#ctx.events.pod(this.pod, 'Warning', 'FailedMount', message);
    else if (step.do === 'sandbox') {
      this.#ctx.events.pod(this.pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
    } else if (step.do === 'end') {
      this.#ctx.events.pod(this.pod, 'Warning', 'FailedKillPod', `error killing pod: ${message}`);
    }
  }

  #perform(step: Step): Promise<void> {
    return step.do === 'end' ? this.#end() : this.#resources.perform(step);
  }

  /** Nothing of the pod is left when this resolves, but for the API's object if the API is away. */
  async #end(): Promise<void> {
    await this.#resources.end();
    // Last: a kubelet that knows nothing of a pod that is to go releases it at once.
    if (!this.#resources.removed) await this.#ctx.release(this.pod);
    this.#ctx.statuses.forget(this.pod.metadata.uid);
    this.close();
    this.#onEnd();
  }

  /** The kubelet ends: the pod's processes run on. */
  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#resources.close();
  }
}

function isLeaving(pod: RunnablePod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}
