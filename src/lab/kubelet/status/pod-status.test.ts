import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodStatus } from '#lab/kubelet/pod.ts';
import { podStatus } from '#lab/kubelet/status/pod-status.ts';
import type { PodView } from '#lab/kubelet/status/view.ts';
import { ended, NOW, running, SANDBOX, testContainer, testPod, testView } from '#lab/kubelet/testing/pods.ts';

const FACTS = { runtimeName: 'runc', hostIp: '192.168.1.101', startTime: '2026-01-02T03:00:00Z' };
const status = (view: PodView) => podStatus(view, FACTS);

/** `Ready=False:ContainersNotReady`, sorted. */
function conditions({ conditions: all = [] }: PodStatus): string[] {
  return all.map((c) => `${c.type}=${c.status}${c.reason ? `:${c.reason}` : ''}`).sort();
}

test('status of a running pod has addresses, ready conditions and container ids', () => {
  const s = status(testView(testPod(), { c: running('c') }));
  assert.equal(s.phase, 'Running');
  assert.deepEqual(s.podIPs, [{ ip: '10.244.1.5' }]);
  assert.equal(s.qosClass, 'BestEffort');
  assert.deepEqual(conditions(s), [
    'ContainersReady=True',
    'Initialized=True',
    'PodReadyToStartContainers=True',
    'PodScheduled=True',
    'Ready=True',
  ]);
  assert.deepEqual(s.containerStatuses?.[0], {
    name: 'c',
    state: { running: { startedAt: '2026-01-02T03:00:01Z' } },
    lastState: {},
    ready: true,
    started: true,
    restartCount: 0,
    image: 'docker.io/library/busybox:latest',
    imageID: 'machine://busybox',
    containerID: 'runc://c-id',
  });
});

test('status of a new pod is Pending, its containers ContainerCreating', () => {
  const { sandbox: _, ...view } = testView(testPod());
  const s = status(view);
  assert.equal(s.phase, 'Pending');
  assert.equal(s.podIP, undefined);
  assert.deepEqual(s.containerStatuses?.[0]?.state, { waiting: { reason: 'ContainerCreating' } });
  assert.match(conditions(s).join(), /Ready=False:ContainersNotReady/);
});

test('status names init containers, and the others wait as PodInitializing', () => {
  const pod = testPod({ initContainers: [testContainer('i')] });
  const s = status(testView(pod, { i: running('i') }));
  assert.equal(s.phase, 'Pending');
  assert.deepEqual(s.containerStatuses?.[0]?.state.waiting, { reason: 'PodInitializing' });
  const initialized = s.conditions?.find((c) => c.type === 'Initialized');
  assert.equal(initialized?.message, 'containers with incomplete status: [i]');
  const done = status(testView(pod, { i: ended('i', 0), c: running('c') }));
  assert.equal(done.phase, 'Running');
  assert.equal(done.initContainerStatuses?.[0]?.ready, true);
});

test('status of a crashing container is CrashLoopBackOff, its end the last state', () => {
  const s = status(testView(testPod(), { c: ended('c', 3, { notBefore: NOW + 80_000, backoffMs: 80_000 }) }));
  assert.equal(s.phase, 'Running');
  const [c] = s.containerStatuses ?? [];
  assert.equal(c?.state.waiting?.reason, 'CrashLoopBackOff');
  assert.equal(c?.state.waiting?.message, 'back-off 1m20s restarting failed container=c pod=web_default(u-1)');
  assert.equal(c?.lastState.terminated?.exitCode, 3);
  assert.equal(c?.lastState.terminated?.finishedAt, '2026-01-02T03:02:00Z');
});

for (const [policy, code, phase] of [
  ['Never', 0, 'Succeeded'],
  ['Never', 1, 'Failed'],
  ['OnFailure', 0, 'Succeeded'],
  ['OnFailure', 1, 'Running'],
  ['Always', 0, 'Running'],
] as const) {
  test(`status: exit ${code} under ${policy} is ${phase}`, () => {
    assert.equal(status(testView(testPod({ restartPolicy: policy }), { c: ended('c', code) })).phase, phase);
  });
}

test('status of a pod that succeeded says PodCompleted', () => {
  const view = testView(testPod({ restartPolicy: 'Never' }), { c: ended('c', 0) });
  const s = status({ ...view, sandbox: { ...SANDBOX, state: 'stopped' } });
  assert.match(conditions(s).join(), /Ready=False:PodCompleted/);
  assert.equal(s.podIP, '10.244.1.5');
});

test('status shows trouble with an image', () => {
  const trouble = { reason: 'ErrImagePull', message: 'load it' };
  const s = status(testView(testPod(), { c: { trouble, started: false, ready: false } }));
  assert.equal(s.phase, 'Pending');
  assert.deepEqual(s.containerStatuses?.[0]?.state.waiting, trouble);
});

test('status keeps transition times of conditions that did not change, and conditions of others', () => {
  const pod = testPod();
  const old = [
    { type: 'Ready', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z' },
    { type: 'ContainersReady', status: 'False', lastTransitionTime: '2020-01-01T00:00:00Z' },
    { type: 'example.org/gate', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z' },
  ] as const;
  const s = status(testView({ ...pod, status: { conditions: old } }, { c: running('c') }));
  const time = (type: string) => s.conditions?.find((c) => c.type === type)?.lastTransitionTime;
  assert.equal(time('Ready'), '2020-01-01T00:00:00Z');
  assert.equal(time('ContainersReady'), '2026-01-02T03:04:05Z');
  assert.equal(time('example.org/gate'), '2020-01-01T00:00:00Z');
});

test('status is not ready while a readiness gate is closed', () => {
  const s = status(testView(testPod({ readinessGates: [{ conditionType: 'x' }] }), { c: running('c') }));
  assert.match(conditions(s).join(), /ContainersReady=True.*Ready=False:ReadinessGatesNotReady/);
});

test('status of an ephemeral container stands apart, and says nothing of the pod', () => {
  const pod = testPod({ ephemeralContainers: [testContainer('debug')] });
  const s = status(testView(pod, { c: running('c'), debug: ended('debug', 3) }));
  assert.equal(s.phase, 'Running');
  assert.equal(s.ephemeralContainerStatuses?.[0]?.state.terminated?.exitCode, 3);
  assert.match(conditions(s).join(), /,Ready=True/);
});

test('status of what never ran in a pod that was out of time is not waiting any more', () => {
  const verdict = { reason: 'DeadlineExceeded', message: 'late' };
  const s = status(testView(testPod(), {}, { verdict }));
  assert.equal(s.phase, 'Failed');
  assert.equal(s.containerStatuses?.[0]?.state.terminated?.reason, 'ContainerStatusUnknown');
});
