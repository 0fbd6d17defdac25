/**
 * `lab`: from the command to a cluster of use, as a person waits for it. The baseline is the time (or memory) that the
 * project allows itself, so the ratio says how much of it is used.
 */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Bench, Benchmark, Measured } from '#bench/harness.ts';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { labPaths } from '#lab/names.ts';
import { supervisorStatus } from '#lab/supervisor/client.ts';
import { conditionOf, PODS, type Pod } from '#spec/k8s.ts';

export const benchmark: Benchmark = {
  name: 'lab',
  about: 'from `lab up` to ready nodes and pods, and what an idle agent holds, against what is allowed',
  run,
};

const POLDER = fileURLToPath(new URL('../polder', import.meta.url));
const LAB = `bench${process.pid}`;
const ROUNDS = 5;
const BIG_ROUNDS = 2;
const PODS_WANTED = 12;
const LIMITS = { small: 6, big: 30, agent: 90 };
/** An agent that has just started still holds what starting took. */
const SETTLE_MS = 5_000;

async function run(bench: Bench): Promise<readonly Measured[]> {
  const [small, agents] = [[] as number[], [] as number[]];
  await round(3, async () => {}); // fills the compile cache, as set-up does
  for (let i = 1; i <= ROUNDS && !bench.signal.aborted; i++) {
    bench.progress(`three nodes, ${PODS_WANTED} pods: ${i} of ${ROUNDS}`);
    small.push(await round(3, startPods));
  }
  const big: number[] = [];
  for (let i = 1; i <= BIG_ROUNDS && !bench.signal.aborted; i++) {
    bench.progress(`twenty nodes: ${i} of ${BIG_ROUNDS}`);
    big.push(
      await round(
        20,
        async () => {},
        async () => void agents.push(...(await agentMemory(bench))),
      ),
    );
  }
  return [
    allowed(`three nodes and ${PODS_WANTED} ready pods`, 's', small, LIMITS.small),
    allowed('twenty ready nodes', 's', big, LIMITS.big),
    allowed('resident memory of an idle agent', 'MB', agents, LIMITS.agent),
  ];
}

function allowed(name: string, unit: string, ours: readonly number[], limit: number): Measured {
  return { case: name, unit, ours, baseline: { name: 'allowed', samples: ours.map(() => limit) }, target: 1 };
}

/** Seconds from the command until `work` is done; `after` is not timed. The lab is removed in any case. */
async function round(
  nodes: number,
  work: () => Promise<void>,
  after: () => Promise<void> = async () => {},
): Promise<number> {
  try {
    const begun = performance.now();
    await polder('lab', 'up', '--name', LAB, '--nodes', `${nodes}`, '-y');
    await work();
    const seconds = (performance.now() - begun) / 1000;
    await after();
    return seconds;
  } finally {
    await polder('lab', 'down', '--name', LAB, '-y');
  }
}

function polder(...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(POLDER, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data) => {
      said += data;
    });
    child.on('close', (status) => (status === 0 ? resolve() : reject(new Error(`polder ${args.join(' ')}: ${said}`))));
  });
}

/** Makes the pods and waits until all are ready. */
async function startPods(): Promise<void> {
  using client = new ApiClient(loadKubeconfig(labPaths(LAB).kubeconfig));
  const waiting = new Set(Array.from({ length: PODS_WANTED }, (_, i) => `pod-${i}`));
  await Promise.all([...waiting].map((name) => client.create(PODS, podNamed(name))));
  for await (const event of client.watch(PODS, { namespace: 'default' })) {
    if (event.type === 'BOOKMARK' || !isReady(event.object)) continue;
    waiting.delete(event.object.metadata.name ?? '');
    if (waiting.size === 0) return;
  }
}

function podNamed(name: string): Pod {
  const containers = [{ name: 'main', image: 'busybox', command: ['sleep', '3600'] }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: { containers } };
}

function isReady(pod: Pod): boolean {
  return conditionOf(pod.status?.conditions, 'Ready')?.status === 'True';
}

/** Resident memory of every agent, MB. */
async function agentMemory(bench: Bench): Promise<number[]> {
  bench.progress('agents come to rest');
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const programs = (await supervisorStatus(LAB))?.programs ?? [];
  return programs.flatMap(({ id, pid }) => (id.endsWith('/agent') && pid !== undefined ? [residentMb(pid)] : []));
}

function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024) / 1e6;
}
