/** Which test files there are, by what they need. */

import { globSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../../..');
/** Tests of `test/` that need no lab. */
const PLAIN = ['test/layers.test.ts', 'test/docs.test.ts'];

/** How Node runs a test file: what a failed test leaves open must not keep it from ending, and all of its results come. */
export const FILE_ARGS = ['--test-force-exit', '--import', join(import.meta.dirname, 'whole-output.ts')] as const;

export interface TestFiles {
  /** Neither root nor the kernel. */
  readonly unit: readonly string[];
  /** Network namespaces of their own. */
  readonly kernel: readonly string[];
  readonly e2e: readonly string[];
  /** A kernel that has everything. */
  readonly vm: readonly string[];
}

/** Paths below the root; only those that have one of the words, if there are any. */
export function testFiles(words: readonly string[]): TestFiles {
  const wanted = (file: string) => words.length === 0 || words.some((word) => file.includes(word));
  const all = globSync('{src,bench,test}/**/*.test.ts', { cwd: ROOT }).filter(wanted).sort();
  const ends = (suffix: string) => all.filter((file) => file.endsWith(suffix));
  const vm = ends('.vm.test.ts');
  const kernel = ends('.kernel.test.ts');
  const rest = all.filter((file) => !vm.includes(file) && !kernel.includes(file));
  const isUnit = (file: string) => !file.startsWith('test/') || PLAIN.includes(file);
  return { unit: rest.filter(isUnit), kernel, e2e: rest.filter((file) => !isUnit(file)), vm };
}
