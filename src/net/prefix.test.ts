import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addrFromBytes, parseAddr } from '#net/addr.ts';
import {
  contains,
  containsPrefix,
  firstAddr,
  lastAddr,
  lengthOf,
  networkOf,
  overlaps,
  parseIfAddr,
  parsePrefix,
  prefixOf,
  readPrefix,
  sizeOf,
  subnetAt,
} from '#net/prefix.ts';

test('parsePrefix names the right network where host bits are set', () => {
  assert.throws(() => parsePrefix('10.244.1.5/24'), /the network is 10\.244\.1\.0\/24/);
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/', '/8', 'fd00::/129']) {
    assert.equal(readPrefix(text), undefined, text);
  }
});

test('prefixOf keeps first and last address inside, and their neighbours outside', () => {
  const four = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(four, fc.integer({ min: 1, max: 32 }), (b, length) => {
      const prefix = prefixOf(addrFromBytes(b), length);
      assert.equal(readPrefix(prefix), prefix);
      assert.ok(
        contains(prefix, addrFromBytes(b)) && contains(prefix, firstAddr(prefix)) && contains(prefix, lastAddr(prefix)),
      );
      assert.equal(networkOf(parseIfAddr(`${addrFromBytes(b)}/${length}`)), prefix);
    }),
  );
});

test('subnetAt cuts a network into parts that do not overlap', () => {
  const cluster = parsePrefix('10.244.0.0/16');
  const parts = Array.from({ length: 256 }, (_, i) => subnetAt(cluster, 24, i));
  assert.equal(parts[1], '10.244.1.0/24');
  assert.equal(new Set(parts).size, 256);
  assert.ok(parts.every((p) => containsPrefix(cluster, p) && lengthOf(p) === 24 && sizeOf(p) === 256n));
  assert.throws(() => subnetAt(cluster, 24, 256), RangeError);
});

test('overlaps is true only where one network lies in the other', () => {
  assert.ok(overlaps(parsePrefix('10.0.0.0/8'), parsePrefix('10.244.0.0/16')));
  assert.ok(!overlaps(parsePrefix('10.244.0.0/16'), parsePrefix('10.96.0.0/12')));
  assert.ok(!contains(parsePrefix('::/0'), parseAddr('10.0.0.1')));
});
