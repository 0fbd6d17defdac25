/** The cgroups of pods, in whichever hierarchies the machine has. */

import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** Mount points of all hierarchies: one where cgroups are pure version 2, else one a version 1 controller and `unified`. */
export function hierarchies(root = ROOT): string[] {
  if (existsSync(join(root, 'cgroup.controllers'))) return [root];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(root, entry.name));
}

/** Removes a group and what is below it; what still holds processes stays. */
export function removeCgroup(path: string, root = ROOT): void {
  for (const hierarchy of hierarchies(root)) removeTree(join(hierarchy, path));
}

function removeTree(folder: string): void {
  let entries: string[];
  try {
    entries = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return; // not in this hierarchy
  }
  for (const name of entries) removeTree(join(folder, name));
  try {
    rmdirSync(folder);
  } catch {
    // still in use: the caller tries again when its processes are gone
  }
}

/** Whether the kernel killed something in the group for want of memory. */
export function wasOutOfMemory(path: string, root = ROOT): boolean {
  const files = [join(root, path, 'memory.events'), join(root, 'memory', path, 'memory.oom_control')];
  return files.some((file) => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0;
  });
}

/** Whether a limit of this kind can be set below `parent`: the controller is there, and on version 2 handed down. */
export function hasController(name: 'memory' | 'cpu', root = ROOT): boolean {
  const controllers = join(root, 'cgroup.controllers');
  return existsSync(controllers)
    ? readFileSync(controllers, 'utf8').trim().split(' ').includes(name)
    : existsSync(join(root, name));
}
