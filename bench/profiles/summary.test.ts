import assert from 'node:assert/strict';
import { test } from 'node:test';
import { caseReport, type Report } from '#bench/harness.ts';
import { overheads } from '#bench/profiles/summary.ts';

const sample = (name: string, ours: number, baseline: number, better: 'lower' | 'higher' = 'lower') =>
  caseReport({ case: name, unit: '', better, ours: [ours], baseline: { name: 'b', samples: [baseline] } });

const REPORT: Report = {
  name: 'profiles',
  machine: 'm',
  notes: [],
  cases: [
    sample('a across: 1 stream', 9, 10, 'higher'),
    sample('a across: 8 streams', 11, 10, 'higher'),
    sample('a across: round trip', 12.5, 10),
    sample('a across: connection', 40, 30),
    sample('a across: processor time', 3, 2),
    sample('b across: 1 stream', 9, 10, 'higher'),
  ],
};

test('overheads has a row for each profile measured whole: what is told, and the loss seen', () => {
  const row = { like: 'A', encapsulation: 'none', told: '< 5 %' };
  const [, a, ...more] = overheads(REPORT, { a: row, b: row, c: row }).trimEnd().split('\n');
  assert.deepEqual(a?.split(/ {2,}/), [
    'a',
    'A',
    'none',
    '< 5 %',
    '10 %',
    '-10 %',
    '12.5/12.5/12.5 µs',
    '25000',
    'x 1.5',
  ]);
  assert.deepEqual(more, []);
});
