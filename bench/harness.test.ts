import assert from 'node:assert/strict';
import { test } from 'node:test';
import { caseReport, pairwise, percentile } from '#bench/harness.ts';

test('percentile takes the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile([7], 0.99), 7);
  assert.throws(() => percentile([], 0.5), RangeError);
});

test('caseReport compares at the asked percentile and in the better direction', () => {
  const lower = { case: 'a', unit: 'ms', ours: [1, 1, 9], baseline: { name: 'b', samples: [10, 10, 10] }, target: 0.5 };
  assert.deepEqual([caseReport(lower).ratio, caseReport(lower).met], [0.1, true]);
  assert.deepEqual([caseReport({ ...lower, at: 'p99' }).ratio, caseReport({ ...lower, at: 'p99' }).met], [0.9, false]);
  const higher = { ...lower, better: 'higher' as const, ours: [50, 60], target: 5 };
  assert.deepEqual([caseReport(higher).ours, caseReport(higher).met], [{ p50: 50, p95: 50, p99: 50 }, true]);
});

test('pairwise takes turns in who goes first', async () => {
  const order: string[] = [];
  const side = (name: string) => async (i: number) => order.push(`${name}${i}`);
  await pairwise(2, side('o'), side('b'));
  assert.deepEqual(order, ['o0', 'b0', 'b1', 'o1']);
});
