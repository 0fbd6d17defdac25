/** Counts tests as `node:test` reports them. */

import { isAbsolute } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

export interface Tally {
  passed: number;
  readonly failures: string[];
  readonly skips: { readonly name: string; readonly reason: string }[];
}

export function emptyTally(): Tally {
  return { passed: 0, failures: [], skips: [] };
}

/** Suites only hold tests, and are not counted; nor are files, unless one fails outside its tests. */
export function count(tally: Tally, event: TestEvent): void {
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return;
  const { name, skip, details } = event.data;
  if (details.type === 'suite') return;
  if (event.type === 'test:fail') tally.failures.push(name);
  else if (isAbsolute(name) && name.endsWith('.test.ts'))
    return; // a file in which no test matched
  else if (skip === undefined || skip === false) tally.passed += 1;
  else tally.skips.push({ name, reason: typeof skip === 'string' ? skip : 'no reason given' });
}
