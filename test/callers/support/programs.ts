/** What a test of a caller needs of the machine. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { noBed } from '#cni/testing/bed.ts';
import { REFERENCE } from './server.ts';

const DIRS = (process.env.PATH ?? '').split(':');

/** Why a test that needs these programs and the reference plugins cannot run here, or false. */
export function without(...programs: string[]): string | false {
  const missing = programs.find((name) => !DIRS.some((dir) => existsSync(join(dir, name))));
  if (missing !== undefined) return `no ${missing} on PATH: its Debian package is not installed`;
  return existsSync(join(REFERENCE, 'portmap')) ? noBed() : `no ${REFERENCE}/portmap`;
}
