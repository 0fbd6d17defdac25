import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { printWays, readWays, WAY_KINDS } from '#spec/ways.ts';

test('readWays reads what printWays prints', () => {
  const kinds = fc.subarray([...WAY_KINDS]);
  fc.assert(
    fc.property(fc.record({ accepts: kinds, sends: kinds }, { noNullPrototype: true }), (ways) =>
      assert.deepEqual(readWays(printWays(ways)), ways),
    ),
  );
});

test('readWays passes over kinds that it does not know, and takes nothing of another shape', () => {
  assert.deepEqual(readWays('{"accepts":["geneve","direct","vxlan",7],"sends":[],"more":1}'), {
    accepts: ['vxlan', 'direct'],
    sends: [],
  });
  for (const text of ['', 'vxlan', 'null', '[]', '{"accepts":"vxlan","sends":[]}', '{"accepts":[]}']) {
    assert.equal(readWays(text), undefined, text);
  }
  fc.assert(fc.property(fc.string(), (text) => void readWays(text)));
});
