/** What makes the executables of a folder work without an agent: a file that tells the shim what to run instead. */

import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The name is in native/cni-shim.c, too. */
const FILE = '.polder';

const ROOT = join(import.meta.dirname, '../../..');

/**
 * Writes the file beside the executables. Node keeps what it compiled where the command `polder` has it, too: each call
 * would compile everything anew without it.
 * @param node the Node that is to run the plugins
 * @throws Error if the folder cannot be written
 */
export function installAlone(binDir: string, node: string): void {
  const words = [`NODE_COMPILE_CACHE=${join(ROOT, '.polder/cache')}`, node, join(ROOT, 'src/cmd/cni-plugin.ts')];
  const path = join(binDir, FILE);
  // The shim may read it at this moment.
  writeFileSync(`${path}.new`, `${words.join('\n')}\n`);
  renameSync(`${path}.new`, path);
}
