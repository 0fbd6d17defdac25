/** What keeps the clock of an emulated guest right. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The guest's counter is the host's own, and unless it is told how fast that runs, the guest measures it while it boots, against
 * an emulated timer: on a busy host that was wrong by a factor of 8. Empty without a C compiler.
 */
export function clockParameters(dir: string): string[] {
  const khz = tscKhz(dir);
  return khz === undefined ? [] : [`tsc_early_khz=${khz}`];
}

/** Of this machine's time stamp counter, measured. @param dir where the program that does it is kept. */
export function tscKhz(dir: string): number | undefined {
  const program = join(dir, 'tsc-khz');
  if (!existsSync(program)) {
    const source = join(import.meta.dirname, 'tsc-khz.c');
    const fresh = `${program}.${process.pid}`;
    const build = `cc -O2 -o "$0" "$1" && mv "$0" "$2"`;
    if (spawnSync('sh', ['-c', build, fresh, source, program], { stdio: 'ignore' }).status !== 0) return undefined;
  }
  const khz = Number(spawnSync(program, { encoding: 'utf8' }).stdout);
  return khz > 0 ? khz : undefined;
}
