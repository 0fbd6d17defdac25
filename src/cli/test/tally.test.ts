import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { count, emptyTally } from '#cli/test/tally.ts';

function event(
  type: 'test:pass' | 'test:fail',
  data: { name: string; skip?: string | boolean; kind?: string },
): TestEvent {
  const { name, skip, kind = 'test' } = data;
  return {
    type,
    data: { name, skip, details: { type: kind, duration_ms: 1 }, nesting: 0, testNumber: 1 },
  } as TestEvent;
}

test('count counts tests, not the suites and files that hold them', () => {
  const tally = emptyTally();
  for (const each of [
    event('test:pass', { name: 'a' }),
    event('test:pass', { name: '/api/v1/pods is a path, not a file' }),
    event('test:pass', { name: 'suite', kind: 'suite' }),
    event('test:pass', { name: '/x/y.test.ts' }),
    event('test:pass', { name: 's', skip: 'no kubectl' }),
    event('test:pass', { name: 't', skip: true }),
    event('test:fail', { name: 'f' }),
    event('test:fail', { name: 'suite', kind: 'suite' }),
    event('test:fail', { name: '/x/crashed.test.ts' }),
  ]) {
    count(tally, each);
  }
  assert.deepEqual(tally, {
    passed: 2,
    failures: ['f', '/x/crashed.test.ts'],
    skips: [
      { name: 's', reason: 'no kubectl' },
      { name: 't', reason: 'no reason given' },
    ],
  });
});
