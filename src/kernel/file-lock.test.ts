import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockFile, tryLockFile } from '#kernel/file-lock.ts';

test('a shared lock lets others share it and keeps an exclusive one out until it is given back', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'pt-lock-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'lock');
  const first = tryLockFile(path, 'shared');
  const second = tryLockFile(path, 'shared');
  assert.ok(first && second);
  assert.equal(tryLockFile(path, 'exclusive'), undefined);
  const waiting = lockFile(path, 'exclusive', 10_000);
  first[Symbol.dispose]();
  second[Symbol.dispose]();
  using alone = await waiting;
  assert.ok(alone);
  assert.equal(tryLockFile(path, 'shared'), undefined);
  assert.equal(await lockFile(path, 'shared', 0), undefined);
});

test('tryLockFile says which file it cannot open', () => {
  assert.throws(() => tryLockFile('/nonexistent/lock', 'shared'), { code: 'ENOENT', message: /\/nonexistent\/lock/ });
});
