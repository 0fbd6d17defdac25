import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventRecorder } from '#lab/kubelet/events.ts';
import { testContainer, testPod } from '#lab/kubelet/testing/pods.ts';
import type { KubeEvent } from '#spec/k8s.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('equal events are counted, and one of a container names its field', async () => {
  const made: KubeEvent[] = [];
  const patches: object[] = [];
  const recorder = new EventRecorder(
    {
      create: async (event) => {
        made.push(event);
        return event;
      },
      patch: async (_namespace, _name, patch) => patches.push(patch),
    },
    'node1',
  );
  const pod = testPod({ initContainers: [testContainer('i')] });
  for (let i = 0; i < 3; i++) recorder.pod(pod, 'Warning', 'BackOff', 'again', 'i');
  recorder.pod(pod, 'Normal', 'Started', 'Started container c', 'c');
  await settled();
  assert.deepEqual(
    made.map((e) => [e.reason, e.involvedObject.fieldPath, e.source?.host]),
    [
      ['BackOff', 'spec.initContainers{i}', 'node1'],
      ['Started', 'spec.containers{c}', 'node1'],
    ],
  );
  assert.deepEqual(
    patches.map((p) => (p as { count: number }).count),
    [2, 3],
  );
});

test('an API that takes no events does not matter', async () => {
  const no = () => Promise.reject(new Error('away'));
  const recorder = new EventRecorder({ create: no, patch: no }, 'node1');
  recorder.pod(testPod(), 'Normal', 'Started', 'x');
  await settled();
});
