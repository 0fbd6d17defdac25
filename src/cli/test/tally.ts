/** Counts tests as `node:test` reports them. */

import type { TestEvent } from 'node:test/reporters';

export interface Tally {
  passed: number;
  readonly failures: string[];
  readonly skips: { readonly name: string; readonly reason: string }[];
}

export function emptyTally(): Tally {
  return { passed: 0, failures: [], skips: [] };
}

/** Suites only hold tests, and are not counted; a file that fails outside its tests is. */
export function count(tally: Tally, event: TestEvent): void {
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return;
  const { name, skip, details } = event.data;
  if (details.type === 'suite') return;
  if (event.type === 'test:fail') tally.failures.push(name);
  else if (skip === undefined || skip === false) tally.passed += 1;
  else tally.skips.push({ name, reason: typeof skip === 'string' ? skip : 'no reason given' });
}
