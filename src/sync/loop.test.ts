import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, settle } from '#feed/testing.ts';
import { SyncLoop } from '#sync/loop.ts';
import type { PassReport } from '#sync/pass.ts';

const CLEAN: PassReport = { done: [], failures: [], left: [], obstacles: [] };
const FAILED: PassReport = { ...CLEAN, failures: [{ op: { op: 'link.del', name: 'x' }, reason: 'EBUSY' }] };

interface Running {
  readonly clock: ManualClock;
  readonly loop: SyncLoop;
  /** What each pass answers from now on. */
  answer: PassReport | Error;
  passes: number;
  errors: number;
}

async function running(answer: PassReport | Error, fn: (running: Running) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const end = new AbortController();
  const pass = async (): Promise<PassReport> => {
    state.passes++;
    if (state.answer instanceof Error) throw state.answer;
    return state.answer;
  };
  const onError = (): void => void state.errors++;
  const loop = new SyncLoop({ pass, onError, clock, resyncMs: 60_000, gapMs: 50 });
  const state: Running = { clock, loop, answer, passes: 0, errors: 0 };
  const done = loop.run(end.signal);
  await settle();
  await fn(state);
  end.abort();
  await done;
}

test('SyncLoop passes at once, and again after the resync time', () =>
  running(CLEAN, async (state) => {
    assert.equal(state.passes, 1);
    await state.clock.advance(50);
    await state.clock.advance(59_000);
    assert.equal(state.passes, 1);
    await state.clock.advance(1_000);
    assert.equal(state.passes, 2);
  }));

test('SyncLoop passes at once when triggered, and once for a storm', () =>
  running(CLEAN, async (state) => {
    await state.clock.advance(50);
    state.loop.trigger();
    await settle();
    assert.equal(state.passes, 2);
    for (let i = 0; i < 10; i++) state.loop.trigger();
    await settle();
    assert.equal(state.passes, 2);
    await state.clock.advance(50);
    assert.equal(state.passes, 3);
    await state.clock.advance(50);
    assert.equal(state.passes, 3);
  }));

test('SyncLoop tries again after a failure, later each time, until it works', () =>
  running(FAILED, async (state) => {
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      await state.clock.advance(50);
      waits.push(state.clock.sleeping[0] ?? 0);
      await state.clock.advance(waits[i] ?? 0);
    }
    assert.deepEqual(waits, [187.5, 375, 750, 1500]);
    state.answer = CLEAN;
    await state.clock.advance(50);
    await state.clock.advance(3_000);
    await state.clock.advance(50);
    assert.equal(state.clock.sleeping[0], 60_000);
  }));

test('SyncLoop goes on when a pass throws', () =>
  running(new Error('netlink is gone'), async (state) => {
    await state.clock.advance(50);
    await state.clock.advance(200);
    assert.deepEqual([state.passes, state.errors], [2, 2]);
  }));
