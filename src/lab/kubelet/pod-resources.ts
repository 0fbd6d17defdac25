/**
 * What a pod has on this node (sandbox, volumes, a keeper for each container), and the steps that make it and take it
 * away. What a step learns is on disk before it counts.
 */

import { rmSync } from 'node:fs';
import { ContainerKeeper } from '#lab/kubelet/container-keeper.ts';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import { allContainers, DEFAULT_GRACE_SECONDS, type PodContainer, type RunnablePod } from '#lab/kubelet/pod.ts';
import type { FoundPod } from '#lab/kubelet/restore.ts';
import { removeCgroup } from '#lab/kubelet/runtime/cgroup.ts';
import { isAlive } from '#lab/kubelet/runtime/process.ts';
import { readSandbox, type Sandbox, withoutPid, writeSandbox } from '#lab/kubelet/runtime/sandbox.ts';
import { dropSandbox, makeSandbox } from '#lab/kubelet/sandbox-network.ts';
import { podCgroup, podFacts } from '#lab/kubelet/start-container.ts';
import type { Step } from '#lab/kubelet/status/decide.ts';
import { makeVolumes } from '#lab/kubelet/volumes/volumes.ts';

/** A pod that vanished from the API gets this much grace, seconds. */
const ORPHAN_GRACE_SECONDS = 2;

/** All steps but the pod's end, which also leaves its worker. */
export type ResourceStep = Exclude<Step, { do: 'end' }>;

export class PodResources {
  readonly #ctx: KubeletContext;
  readonly #wake: () => void;
  #pod: RunnablePod;
  #removed = false;
  /** Removed, but not in a hurry. */
  #calm = false;
  #sandbox: Sandbox | undefined;
  #volumes: Map<string, string> | undefined;
  readonly #keepers = new Map<string, ContainerKeeper>();
  readonly #hurry = Promise.withResolvers<void>();

  /** @param wake is called when a container has news */
  constructor(ctx: KubeletContext, pod: RunnablePod, found: FoundPod | undefined, wake: () => void) {
    this.#ctx = ctx;
    this.#wake = wake;
    this.#pod = pod;
    this.#sandbox = found?.sandbox;
    this.#keep(found);
  }

  get pod(): RunnablePod {
    return this.#pod;
  }

  get sandbox(): Sandbox | undefined {
    return this.#sandbox;
  }

  get keepers(): ReadonlyMap<string, ContainerKeeper> {
    return this.#keepers;
  }

  /** The API knows the pod no more; or, of a static pod, its file has gone. */
  get removed(): boolean {
    return this.#removed;
  }

  get ending(): boolean {
    return this.#removed || this.#pod.metadata.deletionTimestamp !== undefined;
  }

  /** The API's newest word on the pod. */
  update(pod: RunnablePod): void {
    this.#pod = pod;
    for (const keeper of this.#keepers.values()) keeper.pod = pod;
    this.#keep();
  }

  /** A keeper for each container; ephemeral ones come later. */
  #keep(found?: FoundPod): void {
    const inits = this.#pod.spec.initContainers ?? [];
    for (const container of allContainers(this.#pod)) {
      const { name } = container;
      if (this.#keepers.has(name)) continue;
      const records = found?.containers.get(name) ?? [];
      const init = inits.includes(container);
      this.#keepers.set(name, new ContainerKeeper(this.#ctx, this.#pod, container, init, records, this.#wake));
    }
  }

  /** Calmly: its containers have their own time to end. */
  remove(calmly: boolean): void {
    this.#removed = true;
    this.#calm = calmly;
    if (!calmly) this.#hurry.resolve();
  }

  /** Looks for what nobody tells. True: pause has died. */
  inspect(): boolean {
    const { pid, id } = this.#sandbox ?? {};
    const died = pid !== undefined && id !== undefined && !isAlive(pid, id);
    if (died) this.#sandbox = withoutPid(this.#sandbox);
    for (const keeper of this.#keepers.values()) keeper.inspect();
    return died;
  }

  /** Brings what ConfigMaps, Secrets and tokens have become into the files of a running pod. */
  async refreshVolumes(): Promise<void> {
    const changing = (this.#pod.spec.volumes ?? []).some(
      (v) => v.configMap ?? v.secret ?? v.projected ?? v.downwardAPI,
    );
    if (changing && this.#volumes !== undefined) await this.#makeVolumes();
  }

  async perform(step: ResourceStep): Promise<void> {
    switch (step.do) {
      case 'retire':
        return this.#retire();
      case 'sandbox':
        return this.#renewSandbox();
      case 'start':
        return this.#start(step.container);
      case 'kill':
        return this.#keepers.get(step.container.name)?.stop(step.why, this.#graceSeconds(), this.#hurry.promise);
    }
  }

  async #renewSandbox(): Promise<void> {
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
      this.#sandbox = readSandbox(this.#ctx.layout, pod.metadata.uid);
      throw error;
    });
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

  /** Nothing of the pod is left on this node when this resolves. */
  async end(): Promise<void> {
    await this.#stopAll('', this.#graceSeconds());
    if (this.#sandbox !== undefined && this.#sandbox.stopped !== true) {
      await dropSandbox(this.#ctx, this.#pod, this.#sandbox);
      this.#sandbox = withoutPid(this.#sandbox);
    }
    for (const keeper of this.#keepers.values()) await keeper.cleanUp();
    removeCgroup(podCgroup(this.#ctx, this.#pod));
    rmSync(this.#ctx.layout.pod(this.#pod.metadata.uid), { recursive: true, force: true });
  }

  /** The kubelet ends: the pod's processes run on. */
  close(): void {
    for (const keeper of this.#keepers.values()) keeper.close();
  }
}
