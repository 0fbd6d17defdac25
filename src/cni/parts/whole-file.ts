/** Files that others see whole or not at all, whenever their writer is killed. */

import { closeSync, existsSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Beside the file, while it is written; left behind by a writer that was killed. */
function unfinished(path: string): string {
  return `${path}.new`;
}

/**
 * In the place of what was there, with this mode whatever the process's umask is.
 * @param fresh a name for it until it is whole: one of the writer's own where several may write at once
 * @throws Error with the kernel's `code`
 */
export function writeWhole(path: string, text: string, mode: number, fresh = unfinished(path)): void {
  try {
    const fd = openSync(fresh, 'w', mode);
    try {
      fchmodSync(fd, mode);
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(fresh, path);
  } catch (error) {
    removeIfThere(fresh);
    throw error;
  }
}

/** With what a killed writer has left of it; succeeds if there is none. */
export function removeWhole(path: string): void {
  for (const one of [path, unfinished(path)]) removeIfThere(one);
}

/** The path may be anybody's: what can be no file (it leads through one, or has a NUL) is not there. */
function removeIfThere(path: string): void {
  if (existsSync(path)) rmSync(path, { force: true });
}
