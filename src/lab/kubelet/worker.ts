/**
 * One pod on this node: asks `decide` what comes next, does it, and asks again, until nothing is left to do. Steps run
 * at most one a container at a time; what they learn is on disk before it counts.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ContainerKeeper } from '#lab/kubelet/container-keeper.ts';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import {
  allContainers,
  DEFAULT_GRACE_SECONDS,
  type PodContainer,
  type PodStatus,
  podKey,
  type RunnablePod,
} from '#lab/kubelet/pod.ts';
import type { FoundPod } from '#lab/kubelet/restore.ts';
import { removeCgroup } from '#lab/kubelet/runtime/cgroup.ts';
import { writeWhole } from '#lab/kubelet/runtime/disk.ts';
import { isAlive } from '#lab/kubelet/runtime/process.ts';
import { readSandbox, type Sandbox, withoutPid, writeSandbox } from '#lab/kubelet/runtime/sandbox.ts';
import { dropSandbox, makeSandbox } from '#lab/kubelet/sandbox-network.ts';
import { podCgroup, podFacts } from '#lab/kubelet/start-container.ts';
import { decide, type Step } from '#lab/kubelet/status/decide.ts';
import { podStatus } from '#lab/kubelet/status/pod-status.ts';
import { type PodView, sandboxView } from '#lab/kubelet/status/view.ts';
import { makeVolumes, VolumeError } from '#lab/kubelet/volumes/volumes.ts';
import type { Condition } from '#spec/k8s.ts';

/** Waits after a failed step, ms. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;
/** A pod that vanished from the API gets this much grace, seconds. */
const ORPHAN_GRACE_SECONDS = 2;

export class PodWorker {
  readonly #ctx: KubeletContext;
  #pod: RunnablePod;
  #removed = false;
  /** Removed, but not in a hurry. */
  #calm = false;
  #sandbox: Sandbox | undefined;
  #verdict: { reason: string; message: string } | undefined;
  #volumes: Map<string, string> | undefined;
  readonly #keepers = new Map<string, ContainerKeeper>();
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
  readonly #hurry = Promise.withResolvers<void>();
  readonly #onEnd: () => void;

  constructor(ctx: KubeletContext, pod: RunnablePod, found: FoundPod | undefined, onEnd: () => void) {
    this.#ctx = ctx;
    this.#pod = pod;
    this.#onEnd = onEnd;
    this.#sandbox = found?.sandbox;
    this.#heard = found === undefined;
    this.#startTime = pod.status?.startTime ?? new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    this.#keep(found);
    this.#persist();
  }

  get pod(): RunnablePod {
    return this.#pod;
  }

  get sandbox(): Sandbox | undefined {
    return this.#sandbox;
  }

  keeper(container: string): ContainerKeeper | undefined {
    return this.#keepers.get(container);
  }

  get keepers(): ReadonlyMap<string, ContainerKeeper> {
    return this.#keepers;
  }

  /** Why a container that has not started waits: `ContainerCreating`… */
  whyWaiting(container: string): string {
    const status = this.#status(this.view());
    const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = status;
    const all = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
    return all.find(({ name }) => name === container)?.state.waiting?.reason ?? 'ContainerCreating';
  }

  /** A keeper for each container; ephemeral ones come later. */
  #keep(found?: FoundPod): void {
    const inits = this.#pod.spec.initContainers ?? [];
    for (const container of allContainers(this.#pod)) {
      const { name } = container;
      if (this.#keepers.has(name)) continue;
      const records = found?.containers.get(name) ?? [];
      const init = inits.includes(container);
      const wake = () => this.wake();
      this.#keepers.set(name, new ContainerKeeper(this.#ctx, this.#pod, container, init, records, wake));
    }
  }

  /** The API's newest word on the pod. */
  update(pod: RunnablePod): void {
    const changed =
      JSON.stringify(pod.spec) !== JSON.stringify(this.#pod.spec) || isLeaving(pod) !== isLeaving(this.#pod);
    this.#pod = pod;
    const isFirst = !this.#heard;
    this.#heard = true;
    for (const keeper of this.#keepers.values()) keeper.pod = pod;
    this.#keep();
    if (changed) this.#persist();
    if (changed || isFirst || !this.#isActive()) this.wake();
  }

  /** The API knows it no more; or, of a static pod, its file has gone: that one has its time to end. */
  remove(calmly = false): void {
    this.#removed = true;
    this.#calm = calmly;
    if (!calmly) this.#hurry.resolve();
    this.wake();
  }

  /** Looks for what nobody tells: that pause, or a process that tends a container, has died. */
  inspect(): void {
    const { pid, id } = this.#sandbox ?? {};
    if (pid !== undefined && id !== undefined && !isAlive(pid, id)) {
      this.#sandbox = withoutPid(this.#sandbox);
      this.wake();
    }
    for (const keeper of this.#keepers.values()) keeper.inspect();
  }

  /** Brings what ConfigMaps, Secrets and tokens have become into the files of a running pod. */
  async refreshVolumes(): Promise<void> {
    const changing = (this.#pod.spec.volumes ?? []).some(
      (v) => v.configMap ?? v.secret ?? v.projected ?? v.downwardAPI,
    );
    if (!changing || this.#volumes === undefined || this.#isEnding() || this.#ended) return;
    try {
      await this.#makeVolumes();
    } catch (error) {
      this.#ctx.log.debug({ pod: podKey(this.#pod), err: error }, 'volumes stay as they are');
    }
  }

  #persist(): void {
    writeWhole(
      join(this.#ctx.layout.pod(this.#pod.metadata.uid), 'pod.json'),
      JSON.stringify({ ...this.#pod, status: { ...this.#pod.status, startTime: this.#startTime } }),
    );
  }

  #isActive(): boolean {
    return !this.#ended && this.#busy.size > 0;
  }

  #isEnding(): boolean {
    return this.#removed || isLeaving(this.#pod);
  }

  view(now = Date.now()): PodView {
    const containers = new Map(Array.from(this.#keepers, ([name, keeper]) => [name, keeper.view(now)]));
    const sandbox = sandboxView(this.#sandbox);
    return {
      pod: this.#pod,
      ending: this.#isEnding(),
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
    const limit = this.#pod.spec.activeDeadlineSeconds;
    if (limit === undefined || this.#verdict !== undefined) return;
    if (Date.now() < Date.parse(this.#startTime) + limit * 1000) return;
    this.#verdict = {
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    };
  }

  #askAgain(at: number | undefined): void {
    clearTimeout(this.#timer);
    const limit = this.#pod.spec.activeDeadlineSeconds;
    const deadline = limit === undefined || this.#verdict ? [] : [Date.parse(this.#startTime) + limit * 1000];
    const retry = this.#retry && this.#retry.at > Date.now() ? [this.#retry.at] : [];
    const times = [...deadline, ...retry, ...(at === undefined ? [] : [at])];
    if (times.length === 0) return;
    this.#timer = setTimeout(() => this.wake(), Math.max(5, Math.min(...times) - Date.now()));
  }

  #publish(view: PodView): void {
    if (this.#removed || !this.#heard) return;
    const status = this.#status(view);
    this.#conditions = status.conditions ?? [];
    this.#ctx.statuses.submit(this.#pod, status, status.phase === 'Pending' && !this.#isEnding());
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
    this.#ctx.log.debug({ pod: podKey(this.#pod), step: step.do, ms: Math.round(ms) }, 'step');
    if (this.#retry?.step === step.do) this.#retry = undefined;
    if (step.do === 'sandbox') this.#failures = 0;
  }

  #failed(step: Step, error: unknown): void {
    const waitMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
    this.#retry = { step: step.do, at: Date.now() + waitMs };
    const message = error instanceof Error ? error.message : String(error);
    this.#ctx.log.warn({ pod: podKey(this.#pod), step: step.do, waitMs, err: error }, 'step failed');
    if (error instanceof VolumeError) this.#ctx.events.pod(this.#pod, 'Warning', 'FailedMount', message);
    else if (step.do === 'sandbox') {
      this.#ctx.events.pod(this.#pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
    } else if (step.do === 'end') {
      this.#ctx.events.pod(this.#pod, 'Warning', 'FailedKillPod', `error killing pod: ${message}`);
    }
  }

  async #perform(step: Step): Promise<void> {
    switch (step.do) {
      case 'end':
        return this.#end();
      case 'retire':
        return this.#retire();
      case 'sandbox':
        return this.#makeSandbox();
      case 'start':
        return this.#start(step.container);
      case 'kill':
        return this.#keepers.get(step.container.name)?.stop(step.why, this.#graceSeconds(), this.#hurry.promise);
    }
  }

  async #makeSandbox(): Promise<void> {
    const { pod } = this;
    const old = this.#sandbox;
    if (old !== undefined) {
      if (old.ips !== undefined) {
        this.#ctx.events.pod(pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
      }
      await this.#stopAll('The pod sandbox changed', 0);
      await dropSandbox(this.#ctx, pod, old);
    }
    this.#volumes = await this.#makeVolumes();
    const attempt = old === undefined ? 0 : old.attempt + (old.ips === undefined ? 0 : 1);
    this.#sandbox = await makeSandbox(this.#ctx, pod, attempt).catch((error: unknown) => {
      // What was begun stands on disk under its id: the next try gives it back first.
      this.#sandbox = this.#sandboxOnDisk();
      throw error;
    });
  }

  #sandboxOnDisk(): Sandbox | undefined {
    return readSandbox(this.#ctx.layout, this.#pod.metadata.uid);
  }

  #makeVolumes(): Promise<Map<string, string>> {
    return makeVolumes(this.#ctx.layout, this.#pod, this.#ctx.sources, podFacts(this.#ctx, this.#sandbox?.ips ?? []));
  }

  async #start(container: PodContainer): Promise<void> {
    const sandbox = this.#sandbox;
    if (sandbox?.pid === undefined || sandbox.ips === undefined) return;
    this.#volumes ??= await this.#makeVolumes();
    const target = this.#keepers.get(container.targetContainerName ?? '')?.latest?.pid;
    await this.#keepers.get(container.name)?.start(sandbox, this.#volumes, target);
  }

  /** Seconds that the containers have from now on to end. */
  #graceSeconds(): number {
    const { deletionTimestamp, deletionGracePeriodSeconds } = this.#pod.metadata;
    if (deletionTimestamp !== undefined) {
      // After a restart of the kubelet only the rest of the time is left.
      const rest = (Date.parse(deletionTimestamp) - Date.now()) / 1000;
      return Math.max(0, Math.min(rest, deletionGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS));
    }
    if (this.#removed && !this.#calm) return ORPHAN_GRACE_SECONDS;
    return this.#pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  }

  /** Main containers together, then sidecars in reverse order. */
  async #stopAll(why: string, grace: number): Promise<void> {
    const inits = [...this.#keepers.values()].filter((keeper) => keeper.init).reverse();
    const mains = [...this.#keepers.values()].filter((keeper) => !keeper.init);
    await Promise.all(mains.map((keeper) => keeper.stop(why, grace, this.#hurry.promise)));
    for (const keeper of inits) await keeper.stop(why, grace, this.#hurry.promise);
  }

  async #retire(): Promise<void> {
    await this.#stopAll('The pod has ended', this.#graceSeconds());
    const sandbox = this.#sandbox;
    if (sandbox === undefined) return;
    await dropSandbox(this.#ctx, this.#pod, sandbox);
    this.#sandbox = { ...withoutPid(sandbox), stopped: true };
    writeSandbox(this.#ctx.layout, this.#pod.metadata.uid, this.#sandbox);
  }

  /** Nothing of the pod is left when this resolves, but for the API's object if the API is away. */
  async #end(): Promise<void> {
    const { uid } = this.#pod.metadata;
    await this.#stopAll('', this.#graceSeconds());
    if (this.#sandbox !== undefined && this.#sandbox.stopped !== true) {
      await dropSandbox(this.#ctx, this.#pod, this.#sandbox);
      this.#sandbox = withoutPid(this.#sandbox);
    }
    for (const keeper of this.#keepers.values()) await keeper.cleanUp();
    removeCgroup(podCgroup(this.#ctx, this.#pod));
    rmSync(this.#ctx.layout.pod(uid), { recursive: true, force: true });
    // Last: a kubelet that knows nothing of a pod that is to go releases it at once.
    if (!this.#removed) await this.#ctx.release(this.#pod);
    this.#ctx.statuses.forget(uid);
    this.close();
    this.#onEnd();
  }

  /** The kubelet ends: the pod's processes run on. */
  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    for (const keeper of this.#keepers.values()) keeper.close();
  }
}

function isLeaving(pod: RunnablePod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}
