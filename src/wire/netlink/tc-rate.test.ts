import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { burstTicks, limitOfLatency, sameBurst, ticksToBurst } from '#wire/netlink/tc-rate.ts';

const rate = fc.integer({ min: 1, max: 10_000_000_000 });

test('a burst that went through ticks is the same as before, unless it takes longer than can be said', () => {
  fc.assert(
    fc.property(rate, fc.nat(100_000_000), (r, burst) => {
      fc.pre(burst / r < 270);
      assert.ok(sameBurst(r, burst, ticksToBurst(r, burstTicks(r, burst))));
    }),
  );
  assert.equal(burstTicks(1, 1_000_000_000), 0xffffffff);
  assert.ok(!sameBurst(1000, 5000, 6000));
});

test('limitOfLatency is what waits that long, and the burst', () => {
  assert.equal(limitOfLatency(125_000, 10_000, 50), 16_250);
});
