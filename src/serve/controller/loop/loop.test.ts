import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#feed/api-error.ts';
import { ManualClock, settle } from '#feed/testing.ts';
import type { Controller } from '#serve/controller/controller.ts';
import { Notices } from '#serve/controller/loop/notices.ts';
import { WorkQueue } from '#serve/controller/loop/queue.ts';
import { inParallel, type Outcome, Runner } from '#serve/controller/loop/runner.ts';
import { TestWorld } from '#serve/controller/testing.ts';
import type { Notice, Write } from '#serve/controller/write.ts';
import { type KubeEvent, type KubeObject, PODS } from '#spec/k8s.ts';

const NOTICE: Notice = {
  about: { kind: 'Pod', namespace: 'default', name: 'p', uid: 'u' },
  type: 'Normal',
  reason: 'Tested',
  message: 'It was.',
  component: 'test',
};

test('WorkQueue gives a key once, and once more if it was added while busy', async () => {
  const stop = new AbortController();
  const queue = new WorkQueue(new ManualClock(), stop.signal);
  for (const key of ['a', 'a', 'b']) queue.add(key);
  assert.deepEqual([await queue.take(), await queue.take(), queue.length], ['a', 'b', 0]);
  queue.add('a');
  assert.equal(queue.length, 0);
  queue.done('a');
  assert.equal(await queue.take(), 'a');
  stop.abort();
  assert.equal(await queue.take(), undefined);
});

test('WorkQueue keeps the sooner of two delays, and a plain add overtakes both', async () => {
  const clock = new ManualClock();
  const queue = new WorkQueue(clock, new AbortController().signal);
  queue.addAfter('a', 1_000);
  queue.addAfter('a', 100);
  queue.addAfter('a', 500);
  await clock.advance(100);
  assert.equal(await queue.take(), 'a');
  queue.done('a');
  await clock.advance(2_000);
  assert.equal(queue.length, 0);
});

test('WorkQueue waits longer after each failure in a row', () => {
  const queue = new WorkQueue(new ManualClock(), new AbortController().signal);
  assert.deepEqual([queue.retry('a'), queue.retry('a'), queue.retry('b')], [7.5, 15, 7.5]);
  queue.forget('a');
  assert.equal(queue.retry('a'), 7.5);
});

/** A controller that says `notice` for each key, run by a Runner whose executor is given. */
function running(execute: (write: Write) => Promise<Outcome>, againMs?: number) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const decided: string[] = [];
  const errors: string[] = [];
  const controller: Controller = {
    name: 'test',
    needs: [],
    keys: () => ['first'],
    wake: (_, change) => [change.key],
    decide(_, key) {
      decided.push(key);
      return { writes: [{ verb: 'notice', notice: NOTICE }], ...(againMs === undefined ? {} : { againMs }) };
    },
  };
  const deps = { world: new TestWorld(), clock, signal: stop.signal, execute };
  const runner = new Runner(controller, {
    ...deps,
    onError: (_, key, error, ms) => errors.push(`${key} ${error} ${ms}`),
  });
  const hear = (key: string) => runner.hear(PODS, { type: 'delete', key, object: { metadata: {} } });
  return { clock, stop, decided, errors, runner, hear };
}

test('Runner looks at all keys first and at woken ones after', async () => {
  const { decided, runner, hear, stop } = running(async () => ({}));
  hear('too early');
  const run = runner.run(2);
  await settle();
  hear('second');
  await settle();
  assert.deepEqual(decided, ['first', 'second']);
  stop.abort();
  await run;
});

test('Runner tries again after a failure, later each time, and says so', async () => {
  let fail = 2;
  const { clock, decided, errors, runner } = running(async () => {
    if (fail-- > 0) throw new Error('no');
    return {};
  });
  void runner.run(1);
  await clock.advance(0);
  await clock.advance(7.5);
  await clock.advance(15);
  assert.equal(decided.length, 3);
  assert.deepEqual(errors, ['first Error: no 7.5', 'first Error: no 15']);
});

test('Runner takes a conflict as news, not as an error', async () => {
  let once = true;
  const { clock, decided, errors, runner } = running(async () => {
    if (!once) return {};
    once = false;
    throw new ApiError('PATCH', { kind: 'Status', code: 409, reason: 'Conflict' });
  });
  void runner.run(1);
  await clock.advance(10);
  assert.deepEqual([decided.length, errors], [2, []]);
});

test('Runner looks again when a decision or a write asks for it, at the sooner of both', async () => {
  const { clock, decided, runner } = running(async () => ({ againMs: 100 }), 500);
  void runner.run(1);
  await clock.advance(99);
  assert.equal(decided.length, 1);
  await clock.advance(1);
  assert.equal(decided.length, 2);
});

test('inParallel keeps to its limit, its order of results, and goes on past failures', async () => {
  let [now, most] = [0, 0];
  const results = await inParallel([1, 2, 3, 4, 5], 2, async (n) => {
    most = Math.max(most, ++now);
    await settle();
    now--;
    if (n === 2) throw new Error('two');
    return n * 10;
  });
  assert.equal(most, 2);
  assert.deepEqual(
    results.map((r) => (r.status === 'fulfilled' ? r.value : 'x')),
    [10, 'x', 30, 40, 50],
  );
});

test('Notices become Events, repetitions are counted in one, failures harm nobody', async () => {
  const log: string[] = [];
  const failures: unknown[] = [];
  let fail = false;
  const client = {
    async create<T extends KubeObject>(_: unknown, object: T): Promise<T> {
      const { involvedObject, reason, count, source } = object as KubeObject as KubeEvent;
      log.push(`create ${involvedObject.name} ${reason} ${count} ${source?.component}`);
      return object;
    },
    async patch<T extends KubeObject>(_: unknown, key: { name: string }, patch: unknown): Promise<T> {
      if (fail) throw new Error('away');
      log.push(`patch ${key.name.split('.')[0]} ${JSON.stringify(patch)}`);
      return {} as T;
    },
  };
  const clock = new ManualClock();
  const notices = new Notices(client, clock, (error) => failures.push(error));
  notices.tell(NOTICE);
  await clock.advance(50);
  notices.tell(NOTICE);
  await clock.advance(50);
  fail = true;
  notices.tell(NOTICE);
  await clock.advance(50);
  assert.deepEqual(log, ['create p Tested 1 test', 'patch p {"count":2,"lastTimestamp":"1970-01-01T00:16:40Z"}']);
  assert.equal(failures.length, 1);
});
