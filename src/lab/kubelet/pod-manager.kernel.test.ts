/** Pods under a real OCI runtime, without an API and without a network: what the kubelet itself makes and clears away. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
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
import { testContainer, testPod } from '#lab/kubelet/testing/pods.ts';
import { decodeResult } from '#wire/cni/result.ts';

const native = join(import.meta.dirname, '../../../native/bin');
const missing =
  process.getuid?.() !== 0
    ? 'needs root'
    : (['runc', 'busybox'].find((name) => findProgram(name) === undefined) ??
      ['pause', 'tend'].find((name) => !existsSync(join(native, name))));
const skip = missing === undefined ? false : `missing: ${missing}`;

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
async function kubelet(folder: string) {
  const statuses = new Statuses();
  const released: string[] = [];
  const gone = new Map<string, () => void>();
  const layout = new Layout(join(root, folder), join(root, folder, 'run'));
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
    statuses: new StatusWriter(async (pod, status) => statuses.take(pod, status)),
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
      ctx.statuses.close();
      manager[Symbol.dispose]();
    },
  };
}

async function logOf({ ctx }: { ctx: KubeletContext }, pod: RunnablePod, name: string, attempt = 0): Promise<string> {
  const path = ctx.layout.log(pod.metadata.uid, name, attempt);
  const query = { follow: false, previous: false, timestamps: false };
  let text = '';
  for await (const piece of readLog(path, query, () => true, new AbortController().signal)) text += piece;
  return text;
}

const LOOP = ['sh', '-c', 'trap "exit 0" TERM; echo up; while :; do sleep 0.05; done'];
const isReady = (status: PodStatus) =>
  status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

/** Nothing on disk, no group, no process that names the pod. */
function assertNothingLeft(ctx: KubeletContext, pod: RunnablePod): void {
  assert.deepEqual(readdirSync(ctx.layout.pods), []);
  assert.deepEqual(readdirSync(ctx.layout.runtimeRoot), []);
  const groups = hierarchies().filter((h) => existsSync(join(h, cgroup, `pod${pod.metadata.uid}`)));
  assert.deepEqual(groups, []);
  assert.deepEqual(processesOf(ctx.layout.pod(pod.metadata.uid)), []);
}

/** Processes in whose command line the text stands. */
function processesOf(text: string): { readonly pid: number; readonly line: string }[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .map((pid) => ({ pid: Number(pid), line: commandLine(pid) }))
    .filter(({ pid, line }) => pid !== process.pid && line.includes(text));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

test('containers of a pod share its network and name, and nothing of it is left behind', { skip }, async () => {
  const life = await kubelet('share');
  const say = 'hostname; readlink /proc/self/ns/net; cat /etc/resolv.conf; ls /root | wc -l; touch /written; ';
  const containers = ['a', 'b'].map((name) => testContainer(name, { command: ['sh', '-c', `${say} ${LOOP[2]}`] }));
  const pod = testPod({ containers }, { name: 'share', uid: 'pt-share' });
  life.manager.set(pod);
  const status = await life.statuses.until('share', isReady);
  assert.equal(status.podIP, '10.244.1.5');
  const worker = life.manager.byUid('pt-share');
  const ns = readlinkSync(`/proc/${worker?.sandbox?.pid}/ns/net`);
  await life.remove(pod);
  life.close();
  assert.notEqual(ns, readlinkSync('/proc/self/ns/net'));
  assert.equal(existsSync('/written'), false);
  assertNothingLeft(life.ctx, pod);
});

test('a container says what it shares: the log tells', { skip }, async () => {
  const life = await kubelet('say');
  const command = ['sh', '-c', 'hostname; readlink /proc/self/ns/net; echo to-err >&2; printf unfinished; exit 3'];
  const pod = testPod(
    { restartPolicy: 'Never', containers: [testContainer('a', { command })] },
    { name: 'say', uid: 'pt-say' },
  );
  life.manager.set(pod);
  const status = await life.statuses.until('say', (s) => s.phase === 'Failed');
  const end = status.containerStatuses?.[0]?.state.terminated;
  assert.deepEqual([end?.exitCode, end?.reason], [3, 'Error']);
  const lines = (await logOf(life, pod, 'a')).split('\n');
  assert.deepEqual([lines[0], lines[2], lines[3]], ['say', 'to-err', 'unfinished']);
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});

test('a new kubelet takes up running pods as they are', { skip }, async () => {
  const first = await kubelet('adopt');
  const pod = testPod({ containers: [testContainer('c', { command: LOOP })] }, { name: 'adopt', uid: 'pt-adopt' });
  first.manager.set(pod);
  await first.statuses.until('adopt', isReady);
  const before = first.manager.byUid('pt-adopt');
  const facts = [before?.sandbox?.pid, before?.keeper('c')?.latest?.pid, before?.sandbox?.ips?.[0]];
  first.close();
  const second = await kubelet('adopt');
  second.manager.set(pod);
  const status = await second.statuses.until('adopt', isReady);
  const now = second.manager.byUid('pt-adopt');
  assert.deepEqual([now?.sandbox?.pid, now?.keeper('c')?.latest?.pid, now?.sandbox?.ips?.[0]], facts);
  assert.equal(status.containerStatuses?.[0]?.restartCount, 0);
  await second.remove(pod);
  second.close();
  assertNothingLeft(second.ctx, pod);
});

test('how a container ended while no kubelet ran is known to the next', { skip }, async () => {
  const first = await kubelet('away');
  const command = ['sh', '-c', 'trap "exit 7" TERM; echo up; while :; do sleep 0.05; done'];
  const pod = testPod(
    { restartPolicy: 'Never', containers: [testContainer('c', { command })] },
    { name: 'away', uid: 'pt-away' },
  );
  first.manager.set(pod);
  await first.statuses.until('away', isReady);
  const pid = first.manager.byUid('pt-away')?.keeper('c')?.latest?.pid ?? 0;
  first.close();
  while (!(await logOf(first, pod, 'c')).includes('up')) await new Promise((resolve) => setImmediate(resolve));
  process.kill(pid, 'SIGTERM');
  const second = await kubelet('away');
  second.manager.set(pod);
  const status = await second.statuses.until('away', (s) => s.phase === 'Failed');
  assert.equal(status.containerStatuses?.[0]?.state.terminated?.exitCode, 7);
  await second.remove(pod);
  second.close();
  assertNothingLeft(second.ctx, pod);
});

test('a pod that was deleted while no kubelet ran is cleared away', { skip }, async () => {
  const first = await kubelet('orphan');
  const pod = testPod({ containers: [testContainer('c', { command: LOOP })] }, { name: 'orphan', uid: 'pt-orphan' });
  first.manager.set(pod);
  await first.statuses.until('orphan', isReady);
  first.close();
  const second = await kubelet('orphan');
  second.manager.keepOnly(new Set());
  while (second.manager.workers().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  second.close();
  assertNothingLeft(second.ctx, pod);
});

test('pause that dies is replaced, and the containers come back in the new sandbox', { skip }, async () => {
  const life = await kubelet('pause');
  const pod = testPod({ containers: [testContainer('c', { command: LOOP })] }, { name: 'pause', uid: 'pt-pause' });
  life.manager.set(pod);
  await life.statuses.until('pause', isReady);
  const worker = life.manager.byUid('pt-pause');
  const pid = worker?.sandbox?.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  while (commandLine(String(pid)) !== '') await new Promise((resolve) => setImmediate(resolve));
  worker?.inspect();
  await life.statuses.until('pause', (s) => isReady(s) && s.containerStatuses?.[0]?.restartCount === 1);
  assert.equal(worker?.sandbox?.attempt, 1);
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});

test('a container whose tend was killed is ended and started anew', { skip }, async () => {
  const life = await kubelet('tend');
  const pod = testPod({ containers: [testContainer('c', { command: LOOP })] }, { name: 'tend', uid: 'pt-tend' });
  life.manager.set(pod);
  await life.statuses.until('tend', isReady);
  const worker = life.manager.byUid('pt-tend');
  const { pid = 0, id = '' } = worker?.keeper('c')?.latest ?? {};
  const tend = processesOf(id).find(({ line }) => line.includes('--exit'))?.pid ?? 0;
  process.kill(tend, 'SIGKILL');
  while (commandLine(String(tend)) !== '') await new Promise((resolve) => setImmediate(resolve));
  worker?.inspect();
  const status = await life.statuses.until('tend', (s) => isReady(s) && s.containerStatuses?.[0]?.restartCount === 1);
  assert.equal(status.containerStatuses?.[0]?.lastState.terminated?.reason, 'ContainerStatusUnknown');
  while (commandLine(String(pid)) !== '') await new Promise((resolve) => setImmediate(resolve));
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});

test('a command that is not there is a StartError with the runtime’s message', { skip }, async () => {
  const life = await kubelet('bad');
  const pod = testPod(
    { restartPolicy: 'Never', containers: [testContainer('c', { command: ['/no/such'] })] },
    { name: 'bad', uid: 'pt-bad' },
  );
  life.manager.set(pod);
  const status = await life.statuses.until('bad', (s) => s.phase === 'Failed');
  const end = status.containerStatuses?.[0]?.state.terminated;
  assert.deepEqual([end?.exitCode, end?.reason], [128, 'StartError']);
  assert.match(end?.message ?? '', /no such file/);
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});

test('pause reaps what is orphaned in a shared PID namespace', { skip }, async () => {
  const life = await kubelet('reap');
  // The grandchild is orphaned when the subshell ends; as a zombie it would be listed for ever.
  const wait = 'while ps -o comm | grep -qx sleep; do :; done';
  const script = `tr "\\0" " " < /proc/1/cmdline; echo; ( sleep 0.05 & ) ; ${wait}; echo reaped`;
  const containers = [testContainer('c', { command: ['sh', '-c', script] })];
  const pod = testPod(
    { restartPolicy: 'Never', shareProcessNamespace: true, containers },
    { name: 'reap', uid: 'pt-reap' },
  );
  life.manager.set(pod);
  await life.statuses.until('reap', (s) => s.phase === 'Succeeded');
  const log = await logOf(life, pod, 'c');
  assert.match(log, /^\/pause /);
  assert.match(log, /\nreaped\n/);
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});
