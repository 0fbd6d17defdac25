import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownerOf, testLabName } from '#cli/test/stranded.ts';

test("a test's lab names the process that it belongs to, and nobody else's lab is taken for one", () => {
  assert.equal(ownerOf(testLabName(3)), process.pid);
  for (const name of ['polder', 't', 't1', 'test-1', 'tom-2', 't12-x', 'xt12-1', 't12-1-2']) {
    assert.equal(ownerOf(name), undefined, name);
  }
});
