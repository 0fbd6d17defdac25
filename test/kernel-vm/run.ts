/**
 * Runs tests on Debian's own kernel in a virtual machine and prints their results as TAP:
 * `node test/kernel-vm/run.ts [--dir DIR] [--grep PATTERN] [WORD…]`. With words: the `vm` and `kernel` tests whose path has one of
 * them. Where no machine can be had it says so as a plan that is skipped, and succeeds.
 */

import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { boot, needMemory } from './boot.ts';
import { DIR, NoMachine, type Parts, prepare } from './setup.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Made for this kernel, and those that show more on it than elsewhere. */
const FILES = ['{src,test}/**/*.vm.test.ts', 'src/kernel/{.,netlink,nft,conntrack}/*.kernel.test.ts'];
/** Of what is asked for by a word. */
const ALL = '{src,test}/**/*.{vm,kernel}.test.ts';
/** Only when asked for by a word: whole labs, minutes each. */
const LABS = 'test/kernel-vm/lab/';
/** A test that takes longer than this there hangs, unless it says so itself. Milliseconds. */
const TEST_LIMIT_MS = 5 * 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { dir: { type: 'string', default: DIR }, grep: { type: 'string' } },
});

try {
  if (process.getuid?.() !== 0) throw new NoMachine('needs root: it shares the files of the machine');
  needMemory();
  process.exitCode = await runTests(prepare(values.dir, (line) => process.stderr.write(`${line}\n`)));
} catch (error) {
  if (!(error instanceof NoMachine)) throw error;
  process.stdout.write(`TAP version 13\n1..0 # SKIP ${error.message}\n`);
}

async function runTests(machine: Parts): Promise<number> {
  const files = chosenFiles();
  if (files.length === 0)
    throw new Error(`no vm or kernel test has one of these in its path: ${positionals.join(' ')}`);
  const status = await boot(machine, { script: scriptOf(files), onOutput: (text) => process.stdout.write(text) });
  if (status === undefined) process.stdout.write('not ok - the virtual machine ended without a result\n');
  return status ?? 1;
}

function chosenFiles(): string[] {
  if (positionals.length === 0)
    return globSync(FILES, { cwd: ROOT })
      .filter((file) => !file.startsWith(LABS))
      .sort();
  const asked = (file: string) => positionals.some((word) => file.includes(word));
  return globSync(ALL, { cwd: ROOT }).filter(asked).sort();
}

/** One process for all: starting one takes seconds there. */
function scriptOf(files: readonly string[]): string {
  const grep = values.grep === undefined ? [] : ['--test-name-pattern', values.grep];
  const how = ['--test', '--test-isolation=none', '--test-force-exit', `--test-timeout=${TEST_LIMIT_MS}`];
  const args = [...how, '--test-reporter=tap', ...grep, ...files];
  // What the host has compiled is taken there too, where the processors are near enough to one another.
  const cache = `export NODE_COMPILE_CACHE=${quoted(join(ROOT, '.polder/cache'))}`;
  return `cd ${quoted(ROOT)}\n${cache}\nexec ${[process.execPath, ...args].map(quoted).join(' ')}\n`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
