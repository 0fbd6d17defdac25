/** For tests: a kubelet's life with a real OCI runtime, without an API and without a network. Several lives may share the disk. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { pino } from 'pino';
import { findProgram, ImageStore } from '#lab/images/image-store.ts';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import { EventRecorder } from '#lab/kubelet/events.ts';
import { readLog } from '#lab/kubelet/logs/follow.ts';
import type { PodStatus, RunnablePod } from '#lab/kubelet/pod.ts';
import { PodManager } from '#lab/kubelet/pod-manager.ts';
import { hierarchies, removeCgroup } from '#lab/kubelet/runtime/cgroup.ts';
import { machineFacts } from '#lab/kubelet/runtime/facts.ts';
import { Layout } from '#lab/kubelet/runtime/layout.ts';
import { findRuntime } from '#lab/kubelet/runtime/oci-runtime.ts';
import { Semaphore } from '#lab/kubelet/semaphore.ts';
import { StatusWriter } from '#lab/kubelet/status-writer.ts';
import { decodeResult } from '#wire/cni/result.ts';

const native = join(import.meta.dirname, '../../../../native/bin');
const missing =
  process.getuid?.() !== 0
    ? 'needs root'
    : (['runc', 'busybox'].find((name) => findProgram(name) === undefined) ??
      ['pause', 'tend'].find((name) => !existsSync(join(native, name))));
export const skip = missing === undefined ? false : `missing: ${missing}`;

const cgroup = `pt-kubelet-${process.pid}`;
const root = mkdtempSync(join(tmpdir(), 'pt-kubelet-'));
after(() => {
  // After a failed test only: what goes well has cleared away all of this itself.
  for (const { pid } of processesOf(root)) process.kill(pid, 'SIGKILL');
  removeCgroup(cgroup);
  rmSync(root, { recursive: true, force: true });
});

/** Statuses as they come, and waiting for one that fits. */
class Statuses {
  readonly #last = new Map<string, PodStatus>();
  readonly #waiting = new Set<() => void>();

  take(pod: RunnablePod, status: PodStatus): void {
    this.#last.set(pod.metadata.name, status);
    for (const look of this.#waiting) look();
  }

  until(name: string, fits: (status: PodStatus) => boolean): Promise<PodStatus> {
    return new Promise((resolve) => {
      const look = () => {
        const status = this.#last.get(name);
        if (status === undefined || !fits(status)) return;
        this.#waiting.delete(look);
        resolve(status);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** One life of a kubelet; several of them share the disk. */
export async function kubelet(folder: string) {
  const statuses = new Statuses();
  const released: string[] = [];
  const gone = new Map<string, () => void>();
  const layout = new Layout(join(root, folder), join(root, folder, 'run'));
  const writer = new StatusWriter(async (pod, status) => statuses.take(pod, status));
  const ctx: KubeletContext = {
    options: {
      node: 'node1',
      nodeIp: '192.168.1.101',
      nodeIps: ['192.168.1.101'],
      kubeconfig: '',
      root: layout.root,
      socket: '',
      cniConf: '',
      cniBin: [],
      cniCache: '',
      cniSocket: '',
      cgroup,
      imageDir: join(root, 'images'),
      nativeDir: native,
      clusterDns: '10.96.0.10',
      clusterDomain: 'cluster.local',
      labels: {},
      taints: [],
      maxPods: 110,
      hide: [],
    },
    layout,
    runtime: await findRuntime(layout.runtimeRoot, new Set()),
    images: new ImageStore(join(root, 'images'), join(native, 'pause')),
    cni: { add: async () => decodeResult({ ips: [{ address: '10.244.1.5/32' }] }), del: async () => {} },
    sources: {
      configMap: async () => undefined,
      secret: async () => undefined,
      services: async () => [],
      token: async () => '',
    },
    events: new EventRecorder({ create: async (event) => event, patch: async () => {} }, 'node1'),
    statuses: writer,
    log: pino({ level: 'silent' }),
    facts: machineFacts(),
    programs: { pause: join(native, 'pause'), tend: join(native, 'tend') },
    starting: new Semaphore(2),
    podIp: () => '127.0.0.1',
    release: async (pod) => {
      released.push(pod.metadata.name);
      gone.get(pod.metadata.name)?.();
    },
  };
  const manager = new PodManager(ctx);
  manager.restore();
  return {
    ctx,
    manager,
    statuses,
    /** Deletes the pod as the API would and waits until the kubelet lets it go. */
    remove: (pod: RunnablePod) =>
      new Promise<void>((resolve) => {
        gone.set(pod.metadata.name, resolve);
        const deletionTimestamp = new Date(Date.now() + 1000).toISOString();
        manager.set({ ...pod, metadata: { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: 1 } });
      }),
    close: () => {
      writer.close();
      manager[Symbol.dispose]();
    },
  };
}

export async function logOf(
  { ctx }: { ctx: KubeletContext },
  pod: RunnablePod,
  name: string,
  attempt = 0,
): Promise<string> {
  const path = ctx.layout.log(pod.metadata.uid, name, attempt);
  const query = { follow: false, previous: false, timestamps: false };
  let text = '';
  for await (const piece of readLog(path, query, () => true, new AbortController().signal)) text += piece;
  return text;
}

export const LOOP = ['sh', '-c', 'trap "exit 0" TERM; echo up; while :; do sleep 0.05; done'];
export const isReady = (status: PodStatus) =>
  status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

/** Nothing on disk, no group, no process that names the pod. */
export function assertNothingLeft(ctx: KubeletContext, pod: RunnablePod): void {
  assert.deepEqual(readdirSync(ctx.layout.pods), []);
  assert.deepEqual(readdirSync(ctx.layout.runtimeRoot), []);
  const groups = hierarchies().filter((h) => existsSync(join(h, cgroup, `pod${pod.metadata.uid}`)));
  assert.deepEqual(groups, []);
  assert.deepEqual(processesOf(ctx.layout.pod(pod.metadata.uid)), []);
}

/** Processes in whose command line the text stands. */
export function processesOf(text: string): { readonly pid: number; readonly line: string }[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .map((pid) => ({ pid: Number(pid), line: commandLine(pid) }))
    .filter(({ pid, line }) => pid !== process.pid && line.includes(text));
}

export function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
