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

/** Time that the kernel may take to end processes and free their groups; and between two looks. Milliseconds. */
const DEADLINE_MS = 10_000;
const LOOK_MS = 2;

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
 * @throws Error if processes are left after `DEADLINE_MS`.
 */
export async function killGroup(root: string, group: string): Promise<void> {
  const until = Date.now() + DEADLINE_MS;
  for (let pids = groupPids(root, group); isPopulated(root, group); pids = groupPids(root, group)) {
    if (Date.now() > until)
      throw new Error(`Cannot end processes ${pids.join(', ')} of ${group}: they are still there`);
    killOnce(join(root, group), pids);
    await sleep(LOOK_MS);
  }
}

/** Whether anything lives in a group or below it; threads on their way out count, though no list shows them. */
function isPopulated(root: string, group: string): boolean {
  try {
    return readFileSync(join(root, group, 'cgroup.events'), 'utf8').includes('populated 1');
  } catch {
    return false;
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

/**
 * Removes a group and all below it from a hierarchy: groups have no files to remove, only folders. A folder is busy
 * while the last thread of it ends, so that is tried again. @throws Error if it stays busy.
 */
export async function removeGroup(root: string, group: string): Promise<void> {
  const until = Date.now() + DEADLINE_MS;
  for (const dir of groupsBelow(join(root, group)).reverse()) {
    while (!removeFolder(dir)) {
      if (Date.now() > until) throw new Error(`Cannot remove ${dir}: processes are left in it`);
      await sleep(LOOK_MS);
    }
  }
}

/** False if it is busy. */
function removeFolder(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY') return false;
    throw error;
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
