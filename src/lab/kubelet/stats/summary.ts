/** `/stats/summary`: what node, pods and containers use now (k8s.io/kubelet/pkg/apis/stats/v1alpha1, of it what is known). */

import { programsGroup } from '#lab/cgroup.ts';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import type { Components } from '#lab/kubelet/mirror/components.ts';
import type { PodManager } from '#lab/kubelet/pod-manager.ts';
import { containerCgroup } from '#lab/kubelet/start-container.ts';
import { type Look, Rates } from '#lab/kubelet/stats/rates.ts';
import { processUsage, readUsage, residentOf, type Usage } from '#lab/kubelet/stats/usage.ts';

/** Between two looks, ms. */
const LOOK_MS = 10_000;
const NODE = 'node';

interface Subject {
  readonly id: string;
  /** ms since 1970. */
  readonly born: number;
  readonly usage: Usage;
}

export class Statistics implements Disposable {
  readonly #ctx: KubeletContext;
  readonly #manager: PodManager;
  readonly #components: Components | undefined;
  readonly #rates = new Rates();
  readonly #born = Date.now();
  readonly #timer: NodeJS.Timeout;

  constructor(ctx: KubeletContext, manager: PodManager, components?: Components) {
    this.#ctx = ctx;
    this.#manager = manager;
    this.#components = components;
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** As the kubelet of Kubernetes answers; `windowSeconds` is our own: over which the rate was counted. */
  summary(): object {
    const now = Date.now();
    const node = this.#node();
    const pods = this.#manager.workers().map(({ pod, keepers }) => ({
      podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
      containers: [...keepers.values()].flatMap((keeper) => {
        const subject = this.#subject(pod, keeper);
        return subject === undefined ? [] : [{ name: keeper.container.name, ...this.#figures(subject, now) }];
      }),
    }));
    const programs = this.#programs().map(({ name, container, subject }) => ({
      podRef: { ...name, uid: subject.id },
      containers: [{ name: container, ...this.#figures(subject, now) }],
    }));
    return {
      node: { nodeName: this.#ctx.options.node, ...(node && this.#figures(node, now)) },
      pods: [...pods.filter(({ containers }) => containers.length > 0), ...programs],
    };
  }

  #figures({ id, born, usage }: Subject, now: number) {
    const { nanoCores, windowMs } = this.#rates.rate(id, { at: now, cpuNs: usage.cpuNs }, born);
    const time = new Date(now).toISOString();
    return {
      startTime: new Date(born).toISOString(),
      cpu: { time, windowSeconds: windowMs / 1000, usageNanoCores: nanoCores, usageCoreNanoSeconds: usage.cpuNs },
      memory: { time, workingSetBytes: usage.memory },
    };
  }

  #look(): void {
    const at = Date.now();
    const looks = new Map<string, Look>();
    const note = (subject: Subject | undefined) => {
      if (subject !== undefined) looks.set(subject.id, { at, cpuNs: subject.usage.cpuNs });
    };
    note(this.#node());
    for (const { pod, keepers } of this.#manager.workers())
      for (const keeper of keepers.values()) note(this.#subject(pod, keeper));
    for (const { subject } of this.#programs()) note(subject);
    this.#rates.note(looks);
  }

  /** The node is all that runs below its group: pods, and the programs that Kubernetes would count as the system's. */
  #node(): Subject | undefined {
    const { cgroup } = this.#ctx.options;
    const usage = readUsage(cgroup);
    if (usage === undefined) return undefined;
    // With version 1 the programs are in no group that counts memory.
    const programs = readUsage(programsGroup(cgroup)) === undefined ? 0 : residentOf(programsGroup(cgroup));
    return { id: NODE, born: this.#born, usage: { ...usage, memory: usage.memory + programs } };
  }

  /** The lab's own programs that this node shows as pods. */
  #programs() {
    return (this.#components?.shown ?? []).flatMap(({ component, pod: { metadata } }) => {
      const { pid, since } = component.status;
      const usage = pid === undefined ? undefined : processUsage(pid);
      if (usage === undefined) return [];
      const name = { name: metadata.name, namespace: metadata.namespace };
      return [{ name, container: component.name, subject: { id: `${metadata.uid}/${pid}`, born: since ?? 0, usage } }];
    });
  }

  #subject(
    pod: Parameters<typeof containerCgroup>[1],
    {
      isRunning,
      latest,
    }: { readonly isRunning: boolean; readonly latest: { id: string; startedAt?: string } | undefined },
  ): Subject | undefined {
    if (!isRunning || latest === undefined) return undefined;
    const usage = readUsage(containerCgroup(this.#ctx, pod, latest.id));
    return usage === undefined ? undefined : { id: latest.id, born: Date.parse(latest.startedAt ?? ''), usage };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
