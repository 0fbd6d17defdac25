/**
 * Removes a lab by what is found of it, not by what it should have been: so it works after a crash of anything, in
 * the middle of `lab up` as well, and a second time.
 */

import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { unmount, unmountIdle } from '#kernel/mounts.ts';
import { deleteNetns } from '#kernel/netns/named.ts';
import { listNetns, NETNS_DIR } from '#kernel/netns/netns.ts';
import { killGroup, machineHierarchies, removeGroup } from '#lab/cgroup.ts';
import { machineMountsBelow } from '#lab/mounts.ts';
import { LABS_DIR, LABS_RUN_DIR, labPaths, nodePaths } from '#lab/names.ts';
import type { Step } from '#lab/step.ts';
import { labNetns } from '#lab/underlay.ts';
import { removeUplink } from '#lab/uplink.ts';

/** What was there to remove. All zero and false: there was no such lab. */
export interface Removed {
  readonly namespaces: number;
  readonly mounts: number;
  readonly files: boolean;
}

/** The caller holds the lab's lock. */
export async function removeLab(lab: string, step: Step): Promise<Removed> {
  const paths = labPaths(lab);
  await step('ending processes', () => endProcesses(paths.cgroup));
  const mounts = await step('unmounting', async () => unmountBelow([paths.dir, paths.runDir]));
  const namespaces = await step('removing namespaces', async () => {
    removeUplink(lab);
    return labNetns(lab).filter(deleteNetns).length;
  });
  const files = existsSync(paths.dir) || existsSync(paths.runDir);
  await step('removing files', async () => {
    await removeGroups(paths.cgroup);
    for (const dir of [paths.dir, paths.runDir]) rmSync(dir, { recursive: true, force: true });
    for (const dir of [LABS_DIR, LABS_RUN_DIR]) removeIfEmpty(dir);
    releaseNetnsDir();
  });
  return { namespaces, mounts, files };
}

/** Ends all that runs in a node, pods too, and unmounts what was mounted for it: a power failure. */
export async function cutPower(lab: string, node: string): Promise<void> {
  const paths = labPaths(lab);
  const at = nodePaths(paths, node);
  await endProcesses(`${paths.cgroup}/${node}`);
  unmountBelow([at.dir, at.runDir]);
  deleteNetns(`${lab}.${node}`);
  await removeGroups(`${paths.cgroup}/${node}`);
}

async function endProcesses(group: string): Promise<void> {
  const { unified } = machineHierarchies();
  if (unified !== undefined) await killGroup(unified, group);
}

/** An OCI runtime makes groups in every hierarchy. */
async function removeGroups(group: string): Promise<void> {
  for (const root of machineHierarchies().all) await removeGroup(root, group);
}

function unmountBelow(folders: readonly string[]): number {
  const points = machineMountsBelow(folders);
  for (const point of points) unmount(point);
  return points.length;
}

/**
 * The folder of named namespaces is mounted on itself at the first use, by `ip netns` too; empty, it is of no use to
 * anybody. A namespace that somebody makes meanwhile stays: the mount is busy then, or shows the same folder below it.
 */
function releaseNetnsDir(): void {
  if (listNetns().length > 0) return;
  while (unmountIdle(NETNS_DIR));
  removeFolder(NETNS_DIR);
}

/** The folder and its parent `polder`, if nobody else has anything there. */
function removeIfEmpty(dir: string): void {
  if (removeFolder(dir)) removeFolder(dirname(dir));
}

/** False if it is not empty, or not there. */
function removeFolder(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch {
    return false;
  }
}
