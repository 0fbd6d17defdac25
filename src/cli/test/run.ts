/** Runs everything that must hold, one kind after the other, and shows it as it goes. */

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec, type TestEvent } from 'node:test/reporters';
import { paint, type Terminal } from '#cli/terminal.ts';
import { FILE_ARGS, ROOT, testFiles } from '#cli/test/files.ts';
import { runInMachine } from '#cli/test/machine.ts';
import { removeStrandedLabs } from '#cli/test/stranded.ts';
import { count, emptyTally, type Tally } from '#cli/test/tally.ts';

export type TestKind = 'unit' | 'kernel' | 'e2e' | 'machine';

export interface TestWish {
  readonly wanted: readonly TestKind[];
  /** Only files whose path has one of these; all if empty. */
  readonly words: readonly string[];
  /** A regular expression of tests' names. */
  readonly grep?: string;
}

interface Group {
  readonly title: string;
  readonly files: readonly string[];
  readonly concurrency: number;
}

/** A test that takes longer than this hangs. Milliseconds. */
const TEST_LIMIT_MS = 6 * 60_000;

/** Checks that are programs: each counts as one test. */
const CHECKS = [
  { title: 'Types', name: 'types: tsc finds nothing', file: 'node_modules/.bin/tsc', args: ['-p', 'tsconfig.json'] },
  {
    title: 'Style',
    name: 'style: Biome finds nothing',
    file: 'node_modules/.bin/biome',
    args: ['check', '--error-on-warnings', '.'],
  },
];

export async function runTests(wish: TestWish, io: Terminal): Promise<Tally> {
  const tally = emptyTally();
  const files = testFiles(wish.words);
  if (wish.wanted.includes('unit') && wish.grep === undefined && wish.words.length === 0)
    for (const check of CHECKS) await runCheck(check, tally, io);
  const groups: Record<Exclude<TestKind, 'machine'>, Group> = {
    unit: { title: 'Units', files: files.unit, concurrency: availableParallelism() },
    kernel: { title: 'Kernel, in namespaces of their own', files: files.kernel, concurrency: availableParallelism() },
    e2e: { title: 'End to end', files: files.e2e, concurrency: 1 },
  };
  for (const kind of wish.wanted) {
    if (kind !== 'machine') await runGroup(groups[kind], wish, tally, io);
    else await runThere(wish, files.vm, tally, io);
  }
  if (io.signal.aborted) tally.failures.push('stopped before the end');
  for (const lab of await removeStrandedLabs()) io.err(`removed the lab ${lab}: its test was cut off\n`);
  return tally;
}

/** On Debian's kernel; where there can be no machine, what is for it is tried on the kernel at hand. */
async function runThere(wish: TestWish, files: readonly string[], tally: Tally, io: Terminal): Promise<void> {
  const alone = wish.wanted.length === 1;
  if (io.signal.aborted || (files.length === 0 && !alone)) return;
  heading(io, 'Debian’s kernel, in a virtual machine');
  const ran = await runInMachine({ words: wish.words, ...(wish.grep !== undefined && { grep: wish.grep }) }, io, tally);
  if (ran || alone) return;
  await runGroup({ title: 'The same on this kernel, as far as it goes', files, concurrency: 1 }, wish, tally, io);
}

function heading(io: Terminal, title: string): void {
  io.out(`\n${paint(io.outColour, 'bold', title)}\n`);
}

async function runCheck(check: (typeof CHECKS)[number], tally: Tally, io: Terminal): Promise<void> {
  heading(io, check.title);
  const status = await new Promise<number | null>((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, check.file), ...check.args], { cwd: ROOT, stdio: 'inherit' });
    child.on('error', () => resolve(null));
    child.on('exit', resolve);
  });
  if (status === 0) tally.passed += 1;
  else tally.failures.push(check.name);
  io.out(`${status === 0 ? '✔' : '✖'} ${check.name}\n`);
}

async function runGroup(group: Group, wish: TestWish, tally: Tally, io: Terminal): Promise<void> {
  if (group.files.length === 0 || io.signal.aborted) return;
  heading(io, `${group.title} (${group.files.length} files)`);
  const stream = run({
    cwd: ROOT,
    files: group.files.map((file) => join(ROOT, file)),
    concurrency: group.concurrency,
    timeout: TEST_LIMIT_MS,
    signal: io.signal,
    execArgv: [...FILE_ARGS],
    ...(wish.grep === undefined ? {} : { testNamePatterns: [wish.grep] }),
  });
  stream.on('test:pass', (data) => count(tally, { type: 'test:pass', data } as TestEvent));
  stream.on('test:fail', (data) => count(tally, { type: 'test:fail', data } as TestEvent));
  for await (const text of stream.compose(new spec())) io.out(String(text));
}
