/** A pod's sandbox: the pause process that makes and holds its namespaces. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RunnablePod } from '#lab/kubelet/pod.ts';
import { hostnameOf } from '#lab/kubelet/pod.ts';
import { readJson, readText, writeWhole } from '#lab/kubelet/runtime/disk.ts';
import type { Layout } from '#lab/kubelet/runtime/layout.ts';
import { isAlive, readPid, signal } from '#lab/kubelet/runtime/process.ts';
import { run } from '#lab/kubelet/runtime/run.ts';
import { memoryVolumes } from '#lab/kubelet/volumes/volumes.ts';

/** What the disk says of a sandbox; written before anything is made, and again when its network stands. */
export interface SandboxRecord {
  /** 64 hex digits; CNI_CONTAINERID. */
  readonly id: string;
  /** 0 for the pod's first. */
  readonly attempt: number;
  readonly createdAt: string;
  /** Its addresses, once the network stands; of a pod on the host's network: the node's. */
  readonly ips?: readonly string[];
  /** Stopped for good: the pod has ended, or is to be made anew. */
  readonly stopped?: boolean;
}

export interface Sandbox extends SandboxRecord {
  /** Of pause; undefined when it is dead. */
  readonly pid?: number;
}

function recordPath(layout: Layout, uid: string): string {
  return join(layout.pod(uid), 'sandbox.json');
}

function pidPath(layout: Layout, uid: string): string {
  return join(layout.pod(uid), 'pause.pid');
}

export function writeSandbox(layout: Layout, uid: string, { id, attempt, createdAt, ips, stopped }: Sandbox): void {
  const record = { id, attempt, createdAt, ...(ips && { ips }), ...(stopped && { stopped }) } satisfies SandboxRecord;
  writeWhole(recordPath(layout, uid), JSON.stringify(record));
}

/** The sandbox as disk and process table know it; undefined if the pod never had one. */
export function readSandbox(layout: Layout, uid: string): Sandbox | undefined {
  const record = readJson<SandboxRecord>(recordPath(layout, uid));
  if (record === undefined) return undefined;
  const pid = readPid(readText(pidPath(layout, uid)));
  return pid !== undefined && isAlive(pid, record.id) ? { ...record, pid } : record;
}

/** Network namespace as CNI plugins are told it. */
export function netnsPath(sandbox: Sandbox): string {
  return sandbox.pid === undefined ? '' : `/proc/${sandbox.pid}/ns/net`;
}

/** Lets pods bind low ports and ping without privileges, as the common runtimes do. */
const SYSCTLS = ['net.ipv4.ip_unprivileged_port_start=0', 'net.ipv4.ping_group_range=0 2147483647'];

/** Starts pause in the kubelet's own network namespace, from which it makes the pod's. @throws Error that says why not */
export async function startPause(
  program: string,
  layout: Layout,
  pod: RunnablePod,
  sandbox: Sandbox,
  nodeName: string,
): Promise<Sandbox> {
  mkdirSync(layout.pod(pod.metadata.uid), { recursive: true });
  const onHost = pod.spec.hostNetwork === true;
  const own = (pod.spec.securityContext?.sysctls ?? []).map(({ name, value }) => `${name}=${value}`);
  const sysctls = (onHost ? [] : [...SYSCTLS, ...own]).flatMap((pair) => ['--sysctl', pair]);
  const inMemory = memoryVolumes(pod).flatMap(({ name, options }) => {
    const path = layout.volume(pod.metadata.uid, name);
    return ['--tmpfs', `${options}:${path}`];
  });
  const answer = await run(program, [
    ...['--pid-file', pidPath(layout, pod.metadata.uid)],
    ...['--hostname', onHost ? nodeName : hostnameOf(pod)],
    ...(onHost ? ['--host-network'] : []),
    ...(pod.spec.hostIPC === true ? ['--host-ipc'] : []),
    ...sysctls,
    ...inMemory,
    sandbox.id,
  ]);
  const pid = readPid(answer.stdout);
  if (answer.code !== 0 || pid === undefined) throw new Error(`cannot start pause: ${answer.stderr.trim()}`);
  return { ...sandbox, pid };
}

/** Ends pause, and with it the pod's namespaces. Nothing happens when it is dead already. */
export function stopPause(sandbox: Sandbox): void {
  if (sandbox.pid !== undefined && isAlive(sandbox.pid, sandbox.id)) signal(sandbox.pid, 'SIGKILL');
}

/** As it is once pause is dead. */
export function withoutPid(sandbox: Sandbox): Sandbox;
export function withoutPid(sandbox: Sandbox | undefined): Sandbox | undefined;
export function withoutPid(sandbox: Sandbox | undefined): Sandbox | undefined {
  if (sandbox === undefined) return undefined;
  const { pid: _, ...rest } = sandbox;
  return rest;
}
