/** Makes folders. */

import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * As `mkdir -p`. Node's own `recursive` never ends where the kernel answers ENOENT below a folder that is there, as
 * /proc does; and the path may be anybody's.
 * @throws Error with the kernel's `code`
 */
export function makeFolder(path: string, mode = 0o755): void {
  if (path === '' || existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const made = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    if (!made) throw error;
  }
}
