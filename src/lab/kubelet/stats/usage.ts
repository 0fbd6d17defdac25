/** What a cgroup has used, in whichever hierarchies the machine has (kernel: cgroup-v2.rst, cgroup-v1/memory.rst, cpuacct.rst). */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { groupPids } from '#lab/cgroup.ts';

const ROOT = '/sys/fs/cgroup';
const PAGE_BYTES = 4096;

export interface Usage {
  /** Nanoseconds of CPU since the group was made. */
  readonly cpuNs: number;
  /** Bytes in use that the kernel cannot simply take back. */
  readonly memory: number;
}

/** Undefined if there is no such group. `group` has no leading slash. */
export function readUsage(group: string, root = ROOT): Usage | undefined {
  const cpuNs = cpuOf(group, root);
  return cpuNs === undefined ? undefined : { cpuNs, memory: memoryOf(group, root) ?? residentOf(group, root) };
}

/** With hybrid cgroups version 2 is mounted below, without controllers; CPU time it counts all the same. */
function unifiedOf(root: string): string {
  return existsSync(join(root, 'cgroup.controllers')) ? root : join(root, 'unified');
}

function cpuOf(group: string, root: string): number | undefined {
  const micro = fieldOf(join(unifiedOf(root), group, 'cpu.stat'), 'usage_usec');
  if (micro !== undefined) return micro * 1000;
  return numberIn(join(root, 'cpuacct', group, 'cpuacct.usage'));
}

/** The working set, as the kubelet of Kubernetes counts it: all but what is cached and not in use. */
function memoryOf(group: string, root: string): number | undefined {
  const [two, one] = [join(unifiedOf(root), group), join(root, 'memory', group)];
  const used = numberIn(join(two, 'memory.current'));
  if (used !== undefined) return Math.max(0, used - (fieldOf(join(two, 'memory.stat'), 'inactive_file') ?? 0));
  const usedInOne = numberIn(join(one, 'memory.usage_in_bytes'));
  if (usedInOne === undefined) return undefined;
  return Math.max(0, usedInOne - (fieldOf(join(one, 'memory.stat'), 'total_inactive_file') ?? 0));
}

/** Nanoseconds of one clock tick in /proc (USER_HZ). */
const TICK_NS = 10_000_000;

/** Of one process, with the children that it has waited for (proc_pid_stat(5)); undefined if there is none. */
export function processUsage(pid: number): Usage | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { cpuNs: ticks * TICK_NS, memory: Number(read(`/proc/${pid}/statm`)?.split(' ')[1] ?? 0) * PAGE_BYTES };
}

/** Where nothing counts memory for groups: what their processes hold. */
export function residentOf(group: string, root = ROOT): number {
  return groupPids(unifiedOf(root), group)
    .map((pid) => Number(read(`/proc/${pid}/statm`)?.split(' ')[1] ?? 0) * PAGE_BYTES)
    .reduce((sum, bytes) => sum + bytes, 0);
}

function fieldOf(file: string, name: string): number | undefined {
  const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(read(file) ?? '');
  return found === null ? undefined : Number(found[1]);
}

function numberIn(file: string): number | undefined {
  const text = read(file)?.trim();
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

/** Groups and processes may go while they are looked at. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
