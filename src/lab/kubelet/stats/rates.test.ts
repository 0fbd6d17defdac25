import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rates } from '#lab/kubelet/stats/rates.ts';

const MS = 1_000_000;

test('half a CPU between two looks is 500 000 000 nanocores, whatever was before', () => {
  const rates = new Rates();
  rates.note(new Map([['a', { at: 10_000, cpuNs: 7_000 * MS }]]));
  assert.deepEqual(rates.rate('a', { at: 20_000, cpuNs: 12_000 * MS }, 0), {
    nanoCores: 500_000_000,
    windowMs: 10_000,
  });
});

test('what nobody has looked at yet is counted from its start', () => {
  const rate = new Rates().rate('new', { at: 4_000, cpuNs: 1_000 * MS }, 2_000);
  assert.deepEqual(rate, { nanoCores: 500_000_000, windowMs: 2_000 });
});

test('a look that is too near gives way to the one before, if there is one', () => {
  const rates = new Rates();
  rates.note(new Map([['a', { at: 0, cpuNs: 0 }]]));
  rates.note(new Map([['a', { at: 10_000, cpuNs: 0 }]]));
  assert.equal(rates.rate('a', { at: 11_000, cpuNs: 1_100 * MS }, 0).windowMs, 11_000);
  assert.equal(rates.rate('a', { at: 16_000, cpuNs: 600 * MS }, 0).nanoCores, 100_000_000);
});

test('a single look that is too near gives way to the start', () => {
  const rates = new Rates();
  rates.note(new Map([['a', { at: 9_900, cpuNs: 2_000 * MS }]]));
  assert.deepEqual(rates.rate('a', { at: 10_000, cpuNs: 2_100 * MS }, 5_800), {
    nanoCores: 500_000_000,
    windowMs: 4_200,
  });
});

test('what is gone is forgotten, and a counter that began anew is no negative rate', () => {
  const rates = new Rates();
  rates.note(new Map([['a', { at: 0, cpuNs: 9_000 * MS }]]));
  assert.equal(rates.rate('a', { at: 10_000, cpuNs: 0 }, 0).nanoCores, 0);
  rates.note(new Map());
  assert.equal(rates.rate('a', { at: 10_000, cpuNs: 1_000 * MS }, 9_000).windowMs, 1_000);
});
