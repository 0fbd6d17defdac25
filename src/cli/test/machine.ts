/** Runs the tests that are for Debian's kernel in a virtual machine (`test/kernel-vm`), and counts what it says. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Terminal } from '#cli/terminal.ts';
import { ROOT } from '#cli/test/files.ts';
import type { Tally } from '#cli/test/tally.ts';
import { TapReader } from '#cli/test/tap.ts';

const PROGRAM = join(ROOT, 'test/kernel-vm/run.ts');

export interface MachineWish {
  readonly words: readonly string[];
  readonly grep?: string;
}

/** False if there can be no machine here: one skipped test then says why. */
export async function runInMachine({ words, grep }: MachineWish, io: Terminal, tally: Tally): Promise<boolean> {
  const args = [PROGRAM, ...(grep === undefined ? [] : ['--grep', grep]), '--', ...words];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], signal: io.signal });
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  const failedBefore = tally.failures.length;
  const reader = new TapReader(tally, (text) => io.out(text));
  for await (const line of createInterface({ input: child.stdout })) reader.read(line);
  if ((await ended) !== 0 && tally.failures.length === failedBefore) tally.failures.push('the virtual machine');
  if (reader.refusal === undefined) return true;
  io.out(`no virtual machine here: ${reader.refusal}\n`);
  tally.skips.push({ name: 'the virtual machine', reason: reader.refusal });
  return false;
}
