/** Static pods under a real OCI runtime: they run, change and end by their files, whatever the API says of other pods. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readStaticPod } from '#lab/kubelet/mirror/manifest.ts';
import type { RunnablePod } from '#lab/kubelet/pod.ts';
import { assertNothingLeft, isReady, kubelet, LOOP, logOf, skip } from '#lab/kubelet/testing/life.ts';

function staticPod(word: string): RunnablePod {
  const command = ['sh', '-c', `echo ${word}; ${LOOP[2]}`];
  const manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'static' },
    spec: { containers: [{ name: 'c', image: 'busybox', command }] },
  };
  return readStaticPod(JSON.stringify(manifest), { node: 'node1', path: '/static.json', seen: '2026-01-02T03:04:05Z' });
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('a static pod runs without the API, lives on under the next kubelet, and ends with its file', {
  skip,
}, async () => {
  const pod = staticPod('one');
  const first = await kubelet('static');
  first.manager.keepStatic([pod]);
  await first.statuses.until('static-node1', isReady);
  first.manager.keepOnly(new Set());
  const before = first.manager.byUid(pod.metadata.uid)?.keeper('c')?.latest?.pid;
  first.close();
  const second = await kubelet('static');
  second.manager.keepOnly(new Set());
  second.manager.keepStatic([pod]);
  await second.statuses.until('static-node1', isReady);
  assert.equal(second.manager.byUid(pod.metadata.uid)?.keeper('c')?.latest?.pid, before);
  second.manager.keepStatic([]);
  await until(() => second.manager.workers().length === 0);
  second.close();
  assertNothingLeft(second.ctx, pod);
});

test('a changed file is another pod, which begins when the one before has ended', { skip }, async () => {
  const [one, two] = [staticPod('one'), staticPod('two')];
  const life = await kubelet('changed');
  life.manager.keepStatic([one]);
  await life.statuses.until('static-node1', isReady);
  life.manager.keepStatic([two]);
  assert.equal(life.manager.byUid(two.metadata.uid), undefined, 'both at once');
  await until(() => life.manager.byUid(two.metadata.uid)?.keeper('c')?.isRunning === true);
  assert.equal(life.manager.byUid(one.metadata.uid), undefined);
  while (!(await logOf(life, two, 'c')).includes('two')) await new Promise((resolve) => setImmediate(resolve));
  life.manager.keepStatic([]);
  await until(() => life.manager.workers().length === 0);
  life.close();
  assertNothingLeft(life.ctx, one);
  assertNothingLeft(life.ctx, two);
});
