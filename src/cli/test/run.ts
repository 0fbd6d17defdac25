/** Runs everything that must hold, one kind after the other, and shows it as it goes. */

import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec, type TestEvent } from 'node:test/reporters';
import { paint, type Terminal } from '#cli/terminal.ts';
import { count, emptyTally, type Tally } from '#cli/test/tally.ts';

export interface TestWish {
  /** Of 'unit', 'kernel', 'e2e'. */
  readonly wanted: readonly string[];
  /** A regular expression of tests' names. */
  readonly grep?: string;
}

interface Kind {
  readonly name: string;
  readonly title: string;
  readonly files: readonly string[];
  readonly concurrency: number;
}

const ROOT = join(import.meta.dirname, '../../..');
/** Tests of `test/` that need no lab. */
const PLAIN = ['test/layers.test.ts', 'test/docs.test.ts'];
/** A test that takes longer than this hangs. Milliseconds. */
const TEST_LIMIT_MS = 3 * 60_000;

function kinds(): Kind[] {
  const all = (pattern: string) => globSync(pattern, { cwd: ROOT }).sort();
  const kernel = all('src/**/*.kernel.test.ts');
  const pure = [...all('src/**/*.test.ts'), ...all('bench/**/*.test.ts')].filter((file) => !kernel.includes(file));
  const unit = [...pure, ...PLAIN];
  const e2e = all('test/**/*.test.ts').filter((file) => !PLAIN.includes(file));
  return [
    { name: 'unit', title: 'Units', files: unit, concurrency: availableParallelism() },
    { name: 'kernel', title: 'Kernel, in namespaces of their own', files: kernel, concurrency: 1 },
    { name: 'e2e', title: 'End to end', files: e2e, concurrency: 1 },
  ];
}

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
  if (wish.wanted.includes('unit') && wish.grep === undefined)
    for (const check of CHECKS) await runCheck(check, tally, io);
  for (const kind of kinds()) {
    if (!wish.wanted.includes(kind.name) || kind.files.length === 0 || io.signal.aborted) continue;
    heading(io, `${kind.title} (${kind.files.length} files)`);
    await runFiles(kind, wish, tally, io);
  }
  if (io.signal.aborted) tally.failures.push('stopped before the end');
  return tally;
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

async function runFiles(kind: Kind, wish: TestWish, tally: Tally, io: Terminal): Promise<void> {
  const stream = run({
    cwd: ROOT,
    files: kind.files.map((file) => join(ROOT, file)),
    concurrency: kind.concurrency,
    timeout: TEST_LIMIT_MS,
    signal: io.signal,
    // What a failed test leaves open must not keep its file from ending.
    execArgv: ['--test-force-exit'],
    ...(wish.grep === undefined ? {} : { testNamePatterns: [wish.grep] }),
  });
  stream.on('test:pass', (data) => count(tally, { type: 'test:pass', data } as TestEvent));
  stream.on('test:fail', (data) => count(tally, { type: 'test:fail', data } as TestEvent));
  for await (const text of stream.compose(new spec())) io.out(String(text));
}
