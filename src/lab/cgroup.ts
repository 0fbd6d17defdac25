/**
 * A lab's cgroups. Every process of a lab stands below `polder-<lab>` in the cgroup v2 hierarchy, so that all can be
 * found and ended at once; an OCI runtime makes further groups of the same name in v1 hierarchies where they are.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Hierarchies {
  /** Mount point of cgroup v2; undefined if it is not mounted. */
  readonly unified: string | undefined;
  /** Mount points of all hierarchies. */
  readonly all: readonly string[];
}

/** From the text of /proc/self/mounts. */
export function hierarchies(mounts: string): Hierarchies {
  const rows = mounts.split('\n').map((line) => line.split(' '));
  const at = (type: string) => rows.flatMap((r) => (r[2] === type && r[1] !== undefined ? [r[1]] : []));
  const [unified] = at('cgroup2');
  return { unified, all: [...at('cgroup2'), ...at('cgroup')] };
}

export function machineHierarchies(): Hierarchies {
  return hierarchies(readFileSync('/proc/self/mounts', 'utf8'));
}

/** Group of the lab's own programs: a leaf, since cgroup v2 wants no processes in inner groups. */
export function programsGroup(group: string): string {
  return `${group}/_programs`;
}

/** Group of what people start with `lab shell`. */
export function shellGroup(group: string): string {
  return `${group}/_shell`;
}

/** Moves a process, and so all that it will start, into a group, which it makes. */
export function enterGroup(root: string, group: string, pid: number): void {
  const dir = join(root, group);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'cgroup.procs'), `${pid}`);
}

/** Ids of all processes in a group and below it. */
export function groupPids(root: string, group: string): number[] {
  return groupsBelow(join(root, group)).flatMap((dir) => readPids(join(dir, 'cgroup.procs')));
}

/**
 * Ends every process of a group and waits until the last one is gone. Processes that fork meanwhile are met too:
 * `cgroup.kill` (Linux 5.14) ends all at once; without it the sweep is repeated until nothing is left.
 * @throws Error if processes are left after `deadlineMs`.
 */
export async function killGroup(root: string, group: string, deadlineMs = 10_000): Promise<void> {
  const until = Date.now() + deadlineMs;
  for (let pids = groupPids(root, group); pids.length > 0; pids = groupPids(root, group)) {
    if (Date.now() > until)
      throw new Error(`Cannot end processes ${pids.join(', ')} of ${group}: they are still there`);
    killOnce(join(root, group), pids);
    await sleep(2);
  }
}

function killOnce(dir: string, pids: readonly number[]): void {
  const kill = join(dir, 'cgroup.kill');
  if (existsSync(kill)) {
    writeFileSync(kill, '1');
    return;
  }
  for (const pid of pids) if (pid !== process.pid) endProcess(pid);
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just gone by itself.
  }
}

/** Removes a group and all below it from a hierarchy. Groups have no files to remove, only folders. */
export function removeGroup(root: string, group: string): void {
  for (const dir of groupsBelow(join(root, group)).reverse()) {
    try {
      rmdirSync(dir);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
}

/** The folder and all below it, parents first. */
function groupsBelow(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const found = [dir];
  for (const entry of safeReaddir(dir)) if (entry.isDirectory()) found.push(...groupsBelow(join(dir, entry.name)));
  return found;
}

function safeReaddir(dir: string) {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}

function readPids(file: string): number[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
