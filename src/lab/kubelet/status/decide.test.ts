import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '#lab/kubelet/status/decide.ts';
import type { PodView } from '#lab/kubelet/status/view.ts';
import {
  ended,
  NOW,
  running,
  SANDBOX,
  testContainer,
  testPod,
  testRecord,
  testView,
} from '#lab/kubelet/testing/pods.ts';

/** The decision in short: `start c`, `sandbox`, `@5000` for ask again in five seconds. */
function brief(view: PodView): string[] {
  const { steps, askAgain } = decide(view);
  const words = steps.map((step) => ('container' in step ? `${step.do} ${step.container.name}` : step.do));
  return askAgain === undefined ? words : [...words, `@${askAgain - NOW}`];
}

const two = testPod({ containers: [testContainer('a'), testContainer('b')] });
const { sandbox: _, ...withoutSandbox } = testView(two);

test('decide makes the sandbox first, then starts all main containers together', () => {
  assert.deepEqual(brief(withoutSandbox), ['sandbox']);
  assert.deepEqual(brief(testView(two)), ['start a', 'start b']);
  assert.deepEqual(brief(testView(two, { a: running('a') })), ['start b']);
  assert.deepEqual(brief(testView(two, { a: running('a'), b: running('b') })), []);
});

test('decide starts an ephemeral container once, whatever the others do, and never again', () => {
  const pod = testPod({
    initContainers: [testContainer('i')],
    containers: [testContainer('a')],
    ephemeralContainers: [testContainer('debug')],
  });
  assert.deepEqual(brief(testView(pod, { i: running('i') })), ['start debug']);
  assert.deepEqual(brief(testView(pod, { i: running('i'), debug: running('debug') })), []);
  assert.deepEqual(brief(testView(pod, { i: running('i'), debug: ended('debug', 1) })), []);
});

test('decide waits for a container that is being started', () => {
  const starting = { latest: testRecord('a'), started: false, ready: false };
  assert.deepEqual(brief(testView(two, { a: starting, b: running('b') })), []);
});

test('decide makes a new sandbox when pause has died, and starts again what the policy lets', () => {
  const dead = { ...SANDBOX, state: 'dead' } as const;
  assert.deepEqual(brief(testView(two, { a: running('a'), b: running('b') }, { sandbox: dead })), ['sandbox']);
  const fresh = { ...SANDBOX, id: 'other', attempt: 1 };
  const after = { a: ended('a', 137), b: ended('b', 0) };
  assert.deepEqual(brief(testView(two, after, { sandbox: fresh })), ['start a', 'start b']);
  const onFailure = testPod({ ...two.spec, restartPolicy: 'OnFailure' });
  assert.deepEqual(brief(testView(onFailure, after, { sandbox: fresh })), ['start a']);
});

for (const [policy, code, want] of [
  ['Always', 0, ['start c']],
  ['Always', 1, ['start c']],
  ['OnFailure', 0, ['retire']],
  ['OnFailure', 1, ['start c']],
  ['Never', 0, ['retire']],
  ['Never', 1, ['retire']],
] as const) {
  test(`decide obeys restartPolicy ${policy} after exit ${code}`, () => {
    assert.deepEqual(brief(testView(testPod({ restartPolicy: policy }), { c: ended('c', code) })), want);
  });
}

test('decide waits out the back-off and asks again when it ends', () => {
  const view = testView(testPod(), { c: ended('c', 1, { notBefore: NOW + 5000 }) });
  assert.deepEqual(brief(view), ['@5000']);
  assert.deepEqual(brief({ ...view, now: NOW + 5000 }), ['start c']);
});

test('decide retires a pod once: a stopped sandbox stays', () => {
  const view = testView(testPod({ restartPolicy: 'Never' }), { c: ended('c', 0) });
  assert.deepEqual(brief({ ...view, sandbox: { ...SANDBOX, state: 'stopped' } }), []);
});

const init = testPod({ initContainers: [testContainer('i'), testContainer('j')], containers: [testContainer('c')] });

test('decide runs init containers one after another before the main ones', () => {
  assert.deepEqual(brief(testView(init)), ['start i']);
  assert.deepEqual(brief(testView(init, { i: running('i') })), []);
  assert.deepEqual(brief(testView(init, { i: ended('i', 0) })), ['start j']);
  assert.deepEqual(brief(testView(init, { i: ended('i', 0), j: ended('j', 0) })), ['start c']);
  assert.deepEqual(brief(testView(init, { i: ended('i', 0), j: ended('j', 0), c: ended('c', 1) })), ['start c']);
});

test('decide starts a failed init container again, or fails the pod where the policy is Never', () => {
  assert.deepEqual(brief(testView(init, { i: ended('i', 1) })), ['start i']);
  const never = testPod({ ...init.spec, restartPolicy: 'Never' });
  assert.deepEqual(brief(testView(never, { i: ended('i', 1) })), ['retire']);
});

test('decide runs init containers anew in a new sandbox', () => {
  const sandbox = { ...SANDBOX, id: 'other', attempt: 1 };
  const before = { i: ended('i', 0), j: ended('j', 0), c: ended('c', 137) };
  assert.deepEqual(brief(testView(init, before, { sandbox })), ['start i']);
});

test('decide keeps a sidecar running beside the main containers', () => {
  const pod = testPod({ initContainers: [testContainer('s', { restartPolicy: 'Always' })] });
  assert.deepEqual(brief(testView(pod)), ['start s']);
  assert.deepEqual(brief(testView(pod, { s: running('s', { started: false }) })), []);
  assert.deepEqual(brief(testView(pod, { s: running('s') })), ['start c']);
  assert.deepEqual(brief(testView(pod, { s: ended('s', 1), c: running('c') })), ['start s']);
});

test('decide kills what a probe has condemned', () => {
  assert.deepEqual(brief(testView(testPod(), { c: running('c', { condemned: 'liveness' }) })), ['kill c']);
});

test('decide only ends a pod that is to go, whatever else is due', () => {
  assert.deepEqual(brief(testView(two, { a: ended('a', 1) }, { ending: true })), ['end']);
  assert.deepEqual(brief({ ...withoutSandbox, ending: true }), ['end']);
});

test('decide retires a pod past its deadline', () => {
  const verdict = { reason: 'DeadlineExceeded', message: '' };
  assert.deepEqual(brief(testView(two, { a: running('a') }, { verdict })), ['retire']);
});
