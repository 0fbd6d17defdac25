import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tryEach } from '#cni/parts/try-each.ts';

test('tryEach goes on after a failure, in order, and throws the first at the end', async () => {
  const seen: number[] = [];
  const act = (item: number) => {
    seen.push(item);
    if (item === 2) throw new Error('at once');
    return item === 3 ? Promise.reject(new Error('later')) : Promise.resolve();
  };
  await assert.rejects(tryEach([1, 2, 3, 4], act), /at once/);
  assert.deepEqual(seen, [1, 2, 3, 4]);
  await tryEach([], act);
});
