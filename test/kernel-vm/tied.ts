/** Programs that end with the one that started them, also when that is killed. */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Nobody else would end a machine whose runner was killed: it would use a processor for ever. `prctl(2)`, PR_SET_PDEATHSIG. */
export function spawnTied([program = '', ...args]: readonly string[], options: SpawnOptions = {}): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], options);
}

/** A folder for one run, and those of killed runners removed. */
export function runFolder(dir: string): string {
  for (const name of readdirSync(dir)) {
    const [, pid] = /^run\.(\d+)\./.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(dir, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(dir, `run.${process.pid}.`));
}
