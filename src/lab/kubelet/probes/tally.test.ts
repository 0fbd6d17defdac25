import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tally } from '#lab/kubelet/probes/tally.ts';

test('a tally gives a result once enough in a row agree', () => {
  const tally = new Tally(1, 3);
  assert.deepEqual(
    [false, false, true, false, false, false].map((ok) => tally.add(ok)),
    [undefined, undefined, true, undefined, undefined, false],
  );
});
