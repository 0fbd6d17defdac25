/** Runs the tests that are for Debian's kernel in a virtual machine (`test/kernel-vm`), and counts what it says. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Terminal } from '#cli/terminal.ts';
import { emptyTally, type Tally } from '#cli/test/tally.ts';

const PROGRAM = join(import.meta.dirname, '../../../test/kernel-vm/run.ts');

export async function runInMachine(grep: string | undefined, io: Terminal): Promise<Tally> {
  const tally = emptyTally();
  const args = [PROGRAM, ...(grep === undefined ? [] : ['--grep', grep])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], signal: io.signal });
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    io.out(`${line}\n`);
    countLine(tally, line);
  }
  if ((await ended) !== 0 && tally.failures.length === 0) tally.failures.push('the virtual machine');
  return tally;
}

const RESULT = /^(not )?ok \d* ?- (.*?)(?: # (?:SKIP|TODO) ?(.*))?$/;

/** A line of TAP that tells a result, if it is one; those of subtests stand further in. */
export function countLine(tally: Tally, line: string): void {
  const whole = /^1\.\.0 # SKIP (.*)$/.exec(line);
  if (whole) tally.skips.push({ name: 'the virtual machine', reason: whole[1] ?? '' });
  const [found, not, name = '', reason] = RESULT.exec(line) ?? [];
  if (found === undefined) return;
  if (not !== undefined) tally.failures.push(name);
  else if (reason !== undefined) tally.skips.push({ name, reason });
  else tally.passed += 1;
}
