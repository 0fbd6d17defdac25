import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { shareNode, takeNode } from '#cni/daemonless/lock.ts';

const timeout = 30_000;

function socketPath(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-lock-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return join(dir, 'run/cni.sock');
}

test('takeNode has the node once the calls are done that were under way, though others come without a pause', {
  timeout,
}, async (t) => {
  const path = socketPath(t);
  const first = shareNode(path);
  let refused = 0;
  const starting = takeNode(path);
  // Each begins before the last ends.
  let last = first;
  for (let turn = 0; turn < 10; turn++) {
    try {
      const next = shareNode(path);
      last[Symbol.dispose]();
      last = next;
    } catch {
      refused++;
    }
  }
  assert.equal(refused, 10);
  last[Symbol.dispose]();
  {
    using _ = await starting;
    assert.throws(() => shareNode(path), { code: 'cni-try-later' });
  }
  shareNode(path)[Symbol.dispose]();
});

test('shareNode lets any number in at once, and says to STATUS that the node is not available', {
  timeout,
}, async (t) => {
  const path = socketPath(t);
  for (const lock of [shareNode(path), shareNode(path), shareNode(path)]) lock[Symbol.dispose]();
  using _ = await takeNode(path);
  assert.throws(() => shareNode(path, 'STATUS'), { code: 'cni-not-available' });
});

test('shareNode says where it cannot write', (t) => {
  const path = socketPath(t);
  writeFileSync(dirname(path), 'a file where the folder would be');
  assert.throws(() => shareNode(path), { code: 'cni-io', message: /run\/cni\.sock/ });
});
