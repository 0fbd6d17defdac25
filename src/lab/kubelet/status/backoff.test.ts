import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterRestart, type BackoffState, backoffAfter, dueAt, MAX_WAIT_MS } from '#lab/kubelet/status/backoff.ts';

test('the first restart is at once, then waits double from 10 s to 5 min', () => {
  let state: BackoffState | undefined;
  let now = 0;
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    const due = dueAt(state, now) ?? now;
    waits.push((due - now) / 1000);
    now = due;
    state = afterRestart(state, now, now);
  }
  assert.deepEqual(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
});

test('ten good minutes wipe the slate', () => {
  const state = { waitMs: MAX_WAIT_MS, since: 0 };
  assert.equal(dueAt(state, 2 * MAX_WAIT_MS + 1), undefined);
  assert.equal(afterRestart(state, 2 * MAX_WAIT_MS + 1, 1).waitMs, 10_000);
  assert.equal(dueAt(state, 1000), 1000 + MAX_WAIT_MS);
});

test('a restarted kubelet goes on with the wait that the restarts so far had led to', () => {
  assert.equal(backoffAfter(0, 0), undefined);
  assert.equal(backoffAfter(3, 0)?.waitMs, 40_000);
  assert.equal(backoffAfter(100, 0)?.waitMs, MAX_WAIT_MS);
});
