import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#feed/api-error.ts';
import type { PodStatus } from '#lab/kubelet/pod.ts';
import { StatusWriter } from '#lab/kubelet/status-writer.ts';
import { testPod } from '#lab/kubelet/testing/pods.ts';

const status = (message: string): PodStatus => ({ phase: 'Running', message });

function setUp() {
  const sent: { message: string | undefined; done: PromiseWithResolvers<void> }[] = [];
  const writer = new StatusWriter((_, { message }) => {
    const done = Promise.withResolvers<void>();
    sent.push({ message, done });
    return done.promise;
  });
  return { sent, writer };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('while one status is on its way only the newest of the following is sent', async () => {
  const { sent, writer } = setUp();
  for (const m of ['a', 'b', 'c']) writer.submit(testPod(), status(m), false);
  sent[0]?.done.resolve();
  await settled();
  assert.deepEqual(
    sent.map((s) => s.message),
    ['a', 'c'],
  );
});

test('a status that the API has is not sent again', async () => {
  const { sent, writer } = setUp();
  writer.submit(testPod(), status('a'), false);
  sent[0]?.done.resolve();
  await settled();
  writer.submit(testPod(), status('a'), false);
  assert.equal(sent.length, 1);
});

test('a lingering status gives way to an urgent one', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { sent, writer } = setUp();
  writer.submit(testPod(), status('creating'), true);
  assert.equal(sent.length, 0);
  writer.submit(testPod(), status('running'), false);
  t.mock.timers.tick(1000);
  assert.deepEqual(
    sent.map((s) => s.message),
    ['running'],
  );
});

test('a failure is tried again with what is newest then, a vanished pod is not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { sent, writer } = setUp();
  writer.submit(testPod(), status('a'), false);
  sent[0]?.done.reject(new Error('away'));
  await settled();
  writer.submit(testPod(), status('b'), false);
  assert.equal(sent.length, 1);
  t.mock.timers.tick(1000);
  assert.equal(sent[1]?.message, 'b');
  sent[1]?.done.reject(new ApiError('PATCH', { kind: 'Status', code: 404 }));
  await settled();
  t.mock.timers.tick(60_000);
  assert.equal(sent.length, 2);
});
