import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lockWhenFree, ownerOf, testLabName } from '#cli/test/stranded.ts';
import { lockLab } from '#lab/lock.ts';

test("a test's lab names the process that it belongs to, and nobody else's lab is taken for one", () => {
  assert.equal(ownerOf(testLabName(3)), process.pid);
  for (const name of ['polder', 't', 't1', 'test-1', 'tom-2', 't12-x', 'xt12-1', 't12-1-2']) {
    assert.equal(ownerOf(name), undefined, name);
  }
});

test('a lab that a command is still at is waited for, and no longer than it may take', async () => {
  const lab = testLabName(1);
  const held = await lockLab(lab);
  await assert.rejects(lockWhenFree(lab, 0), { code: 'lab-name-in-use' });
  const waiting = lockWhenFree(lab);
  held[Symbol.dispose]();
  using _lock = await waiting;
  await assert.rejects(lockLab(lab), { code: 'lab-name-in-use' });
});
