/**
 * Runs a line of shell as root on Debian's kernel in a virtual machine, in the root of this checkout, and exits with its status:
 * `node test/kernel-vm/shell.ts [--dir DIR] [--limit SECONDS] LINE`. 125: the machine gave no status, or there can be none here.
 */

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { boot, needMemory } from './boot.ts';
import { DIR, NoMachine, prepare } from './setup.ts';

const ROOT = join(import.meta.dirname, '../..');
const NO_STATUS = 125;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { dir: { type: 'string', default: DIR }, limit: { type: 'string', default: '1200' } },
});

try {
  if (process.getuid?.() !== 0) throw new NoMachine('needs root: it shares the files of the machine');
  needMemory();
  const script = `cd '${ROOT.replaceAll("'", `'\\''`)}'\nexport PATH="$PWD/node_modules/.bin:$PATH"\n${positionals.join(' ')}\n`;
  const parts = prepare(values.dir, (line) => process.stderr.write(`${line}\n`));
  const limitMs = Number(values.limit) * 1000;
  process.exitCode =
    (await boot(parts, { script, onOutput: (text) => process.stdout.write(text), limitMs })) ?? NO_STATUS;
} catch (error) {
  if (!(error instanceof NoMachine)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = NO_STATUS;
}
