/** One container of a pod over all its starts: starting, stopping, what became of it, how long it waits. */

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import { ImagePull, type Trouble } from '#lab/kubelet/image-pull.ts';
import { type PodContainer, podKey, type RunnablePod, restartPolicyOf } from '#lab/kubelet/pod.ts';
import { runHook } from '#lab/kubelet/probes/hook.ts';
import { ProbeSet } from '#lab/kubelet/probes/probe-set.ts';
import {
  type ContainerExit,
  type ContainerPlace,
  type ContainerRecord,
  readContainer,
  writeExit,
} from '#lab/kubelet/runtime/container.ts';
import { writeWhole } from '#lab/kubelet/runtime/disk.ts';
import { ConfigError } from '#lab/kubelet/runtime/env.ts';
import { fullExit } from '#lab/kubelet/runtime/full-exit.ts';
import { deleteContainer } from '#lab/kubelet/runtime/oci-runtime.ts';
import { signal } from '#lab/kubelet/runtime/process.ts';
import type { Sandbox } from '#lab/kubelet/runtime/sandbox.ts';
import { containerCgroup, startOne } from '#lab/kubelet/start-container.ts';
import { afterRestart, type BackoffState, backoffAfter, dueAt } from '#lab/kubelet/status/backoff.ts';
import type { ContainerView } from '#lab/kubelet/status/view.ts';

/** How long SIGKILL may take to show, ms. */
const KILL_PATIENCE_MS = 10_000;
const HURRY_MS = 2_000;
const CONFIG_RETRY_MS = 5_000;

export class ContainerKeeper {
  readonly container: PodContainer;
  readonly init: boolean;
  /** The API's newest word on the pod. */
  pod: RunnablePod;
  readonly #ctx: KubeletContext;
  readonly #changed: () => void;
  #latest: ContainerRecord | undefined;
  #previous: ContainerRecord | undefined;
  #trouble: Trouble | undefined;
  readonly #pull: ImagePull;
  #backoff: BackoffState | undefined;
  #condemned: string | undefined;
  #probes: ProbeSet | undefined;
  /** Whether its postStart hook is through. */
  #settled = true;
  #exited = Promise.withResolvers<void>();
  #cleaning: Promise<unknown> = Promise.resolve();

  /** `records`: of its last starts, ascending. */
  constructor(
    ctx: KubeletContext,
    pod: RunnablePod,
    container: PodContainer,
    init: boolean,
    records: readonly ContainerRecord[],
    changed: () => void,
  ) {
    this.#ctx = ctx;
    this.pod = pod;
    this.container = container;
    this.init = init;
    this.#changed = changed;
    this.#pull = new ImagePull(ctx.images, (type, reason, message) => this.#event(type, reason, message));
    this.#latest = records.at(-1);
    this.#previous = records.at(-2);
    this.#restore();
  }

  get latest(): ContainerRecord | undefined {
    return this.#latest;
  }

  get previous(): ContainerRecord | undefined {
    return this.#previous;
  }

  get isRunning(): boolean {
    return this.#latest?.startedAt !== undefined && this.#latest.exit === undefined;
  }

  #restore(): void {
    const latest = this.#latest;
    if (latest === undefined) return;
    this.#backoff = backoffAfter(latest.attempt, Date.parse(latest.createdAt));
    if (latest.exit !== undefined) {
      if (!this.#isSettled(latest)) this.#settle(latest);
    } else if (latest.startedAt !== undefined) this.#startProbes(true);
  }

  #isSettled(record: ContainerRecord): boolean {
    const { uid, name, attempt } = this.#place(record.attempt);
    const written = join(this.#ctx.layout.container(uid, name, attempt), 'exit.json');
    return existsSync(written) && !existsSync(this.#ctx.layout.exit(record.id));
  }

  view(now: number): ContainerView {
    const latest = this.#latest;
    const endedAt = latest?.exit === undefined ? undefined : Date.parse(latest.exit.finishedAt);
    const due = endedAt === undefined ? undefined : dueAt(this.#backoff, endedAt);
    const waits = [due, this.#trouble?.until].filter((time) => time !== undefined);
    return {
      ...(latest && { latest }),
      ...(this.#previous && { previous: this.#previous }),
      ...(this.#trouble && { trouble: { reason: this.#trouble.reason, message: this.#trouble.message } }),
      ...(waits.length > 0 && { notBefore: Math.max(...waits) }),
      ...(due !== undefined && due > now && this.#backoff && { backoffMs: this.#backoff.waitMs }),
      started: this.#settled && (this.#probes?.started ?? false),
      ready: this.#settled && (this.#probes?.ready ?? false),
      ...(this.#condemned !== undefined && { condemned: this.#condemned }),
    };
  }

  #place(attempt = this.#latest?.attempt ?? 0): ContainerPlace {
    return { uid: this.pod.metadata.uid, name: this.container.name, attempt };
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#ctx.events.pod(this.pod, type, reason, message, this.container.name);
  }

  // ── Starting ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts it, or notes why that cannot be now. `target`: a process whose PID namespace it joins. Resolves when it runs (its postStart hook aside) or has failed. */
  async start(sandbox: Sandbox, volumes: ReadonlyMap<string, string>, target?: number): Promise<void> {
    const answer = this.#pull.look(this.container, Date.now());
    if (answer.kind === 'trouble') {
      this.#trouble = answer.trouble;
      return;
    }
    await this.#cleaning;
    const ended = this.#latest?.exit === undefined ? undefined : Date.parse(this.#latest.exit.finishedAt);
    if (ended !== undefined) this.#backoff = afterRestart(this.#backoff, ended, Date.now());
    try {
      const attempt = this.#latest === undefined ? 0 : this.#latest.attempt + 1;
      const { pod, container } = this;
      const whose = target === undefined ? {} : { target };
      const request = { pod, container, attempt, image: answer.image, sandbox, volumes, ...whose };
      const record = await startOne(this.#ctx, request);
      this.#took(record);
    } catch (error) {
      this.#couldNotStart(error);
    }
  }

  #took(record: ContainerRecord): void {
    this.#trouble = undefined;
    this.#condemned = undefined;
    this.#forgetOld();
    this.#previous = this.#latest;
    this.#latest = record;
    this.#exited = Promise.withResolvers();
    this.#event('Normal', 'Created', `Created container: ${this.container.name}`);
    if (record.startedAt === undefined) {
      this.#event('Warning', 'Failed', `Error: ${record.exit?.message ?? 'the container did not start'}`);
    } else {
      this.#event('Normal', 'Started', `Started container ${this.container.name}`);
      this.#startProbes(false);
      void this.#postStart();
    }
    if (record.exit !== undefined) this.#settle(record);
  }

  /** Only the last start but one is kept, for `kubectl logs --previous`. */
  #forgetOld(): void {
    if (this.#previous === undefined) return;
    const { uid, name, attempt } = this.#place(this.#previous.attempt);
    rmSync(this.#ctx.layout.container(uid, name, attempt), { recursive: true, force: true });
    for (const suffix of ['', '.1']) rmSync(this.#ctx.layout.log(uid, name, attempt) + suffix, { force: true });
  }

  #couldNotStart(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const reason = error instanceof ConfigError ? 'CreateContainerConfigError' : 'CreateContainerError';
    this.#trouble = { reason, message, until: Date.now() + CONFIG_RETRY_MS };
    this.#event('Warning', 'Failed', `Error: ${message}`);
    this.#ctx.log.warn({ pod: podKey(this.pod), container: this.container.name, err: error }, 'cannot start container');
  }

  async #postStart(): Promise<void> {
    const hook = this.container.lifecycle?.postStart;
    if (hook === undefined) return;
    this.#settled = false;
    const failure = await runHook(this.#hookTarget(), hook, 60_000);
    this.#settled = true;
    if (failure !== undefined) {
      this.#event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${failure}`);
      this.#condemned = 'FailedPostStartHook';
    }
    this.#changed();
  }

  #hookTarget() {
    const { runtime } = this.#ctx;
    return {
      runtime,
      id: this.#latest?.id ?? '',
      pod: this.pod,
      container: this.container,
      podIp: () => this.#podIp(),
    };
  }

  #podIp(): string {
    return this.#ctx.podIp(this.pod.metadata.uid) ?? '127.0.0.1';
  }

  #startProbes(wasRunning: boolean): void {
    this.#probes?.close();
    this.#probes = new ProbeSet({
      ...this.#hookTarget(),
      init: this.init,
      wasReady: wasRunning && existsSync(this.#readyFile()),
      wasRunning,
      startedAt: Date.parse(this.#latest?.startedAt ?? ''),
      changed: () => this.#noteReadiness(),
      condemn: (why) => {
        this.#condemned = why;
        this.#changed();
      },
      event: (reason, message) => this.#event('Warning', reason, message),
    });
  }

  #readyFile(): string {
    const { uid, name, attempt } = this.#place();
    return join(this.#ctx.layout.container(uid, name, attempt), 'ready');
  }

  /** On disk, so that a new kubelet does not take a ready pod out of its Services until its first look. */
  #noteReadiness(): void {
    if (this.#probes?.ready) writeWhole(this.#readyFile(), '');
    else rmSync(this.#readyFile(), { force: true });
    this.#changed();
  }

  // ── Ending ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** SIGTERM, grace, SIGKILL; resolves when it has ended. `hurry` cuts the grace short. @throws Error if it will not end */
  async stop(why: string, graceSeconds: number, hurry: Promise<void>): Promise<void> {
    const latest = this.#latest;
    if (latest === undefined || latest.exit !== undefined) return;
    this.inspect();
    if (this.#latest?.exit !== undefined) return;
    this.#event('Normal', 'Killing', this.#killMessage(why));
    const ended = this.#exited.promise;
    const patience = Promise.race([delay(graceSeconds * 1000), hurry.then(() => delay(HURRY_MS))]);
    await Promise.race([this.#ask(latest, graceSeconds).then(() => ended), ended, patience]);
    if (this.#latest?.exit !== undefined) return;
    if (latest.pid !== undefined) signal(latest.pid, 'SIGKILL');
    else await deleteContainer(this.#ctx.runtime, latest.id);
    await Promise.race([ended, delay(KILL_PATIENCE_MS)]);
    if (this.#latest?.exit !== undefined) return;
    this.inspect();
    if (this.#latest?.exit === undefined) throw new Error(`container ${this.container.name} does not end`);
  }

  #killMessage(why: string): string {
    const name = this.container.name;
    if (why === 'liveness' || why === 'startup') return `Container ${name} failed ${why} probe, will be restarted`;
    return why === 'FailedPostStartHook' ? `FailedPostStartHook` : `Stopping container ${name}`;
  }

  async #ask(record: ContainerRecord, graceSeconds: number): Promise<void> {
    const hook = this.container.lifecycle?.preStop;
    if (hook !== undefined && graceSeconds > 0) {
      const failure = await runHook(this.#hookTarget(), hook, graceSeconds * 1000);
      if (failure !== undefined) this.#event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${failure}`);
    }
    if (record.pid !== undefined && this.#latest?.exit === undefined) signal(record.pid, 'SIGTERM');
  }

  /** Reads again what the disk says of the current start; called when its exit file appears, and now and then. */
  inspect(): void {
    const latest = this.#latest;
    if (latest === undefined || latest.exit !== undefined) return;
    const record = readContainer(this.#ctx.layout, this.#place());
    if (record === undefined) return;
    const hasStarted = latest.startedAt === undefined && record.startedAt !== undefined;
    this.#latest = record;
    if (record.exit !== undefined) this.#settle(record);
    else if (hasStarted) this.#startProbes(false);
    if (record.exit !== undefined || hasStarted) this.#changed();
  }

  /** Fixes how it ended, then clears away what the runtime keeps of it. */
  #settle(record: ContainerRecord): void {
    this.#probes?.close();
    this.#probes = undefined;
    this.#condemned = undefined;
    const { layout } = this.#ctx;
    const cgroup = containerCgroup(this.#ctx, this.pod, record.id);
    const exit = fullExit({ layout, uid: this.pod.metadata.uid, container: this.container, record, cgroup });
    this.#latest = { ...record, exit };
    writeExit(this.#ctx.layout, this.#place(record.attempt), exit);
    // The exit file goes last: while it is there, a new kubelet knows that the runtime may still keep something.
    const file = this.#ctx.layout.exit(record.id);
    const socket = this.#ctx.layout.attachSocket(record.id);
    this.#cleaning = deleteContainer(this.#ctx.runtime, record.id).then(() => {
      for (const left of [file, socket, `${socket}.tty`]) rmSync(left, { force: true });
    });
    this.#exited.resolve();
    this.#noteBackoff(exit);
  }

  #noteBackoff(exit: ContainerExit): void {
    const endedAt = Date.parse(exit.finishedAt);
    const policy = restartPolicyOf(this.pod, this.container, this.init);
    const again = policy === 'Always' || (policy === 'OnFailure' && exit.code !== 0);
    const due = dueAt(this.#backoff, endedAt);
    if (!again || due === undefined || due <= Date.now() || this.pod.metadata.deletionTimestamp) return;
    const { name, namespace, uid } = this.pod.metadata;
    const where = `${name}_${namespace}(${uid})`;
    this.#event('Warning', 'BackOff', `Back-off restarting failed container ${this.container.name} in pod ${where}`);
  }

  /** Nothing of its starts is left with the runtime when this resolves. */
  async cleanUp(): Promise<void> {
    await this.#cleaning;
  }

  close(): void {
    this.#probes?.close();
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
