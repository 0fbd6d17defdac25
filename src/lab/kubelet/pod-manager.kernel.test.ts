/** Pods under a real OCI runtime, without an API and without a network: what the kubelet itself makes and clears away. */

import assert from 'node:assert/strict';
import { existsSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import {
  assertNothingLeft,
  commandLine,
  isReady,
  kubelet,
  LOOP,
  logOf,
  processesOf,
  skip,
} from '#lab/kubelet/testing/life.ts';
import { testContainer, testPod } from '#lab/kubelet/testing/pods.ts';

test('containers of a pod share its network and name, and nothing of it is left behind', { skip }, async () => {
  const life = await kubelet('share');
  const say = 'hostname; readlink /proc/self/ns/net; cat /etc/resolv.conf; ls /root | wc -l; touch /written; ';
  const containers = ['a', 'b'].map((name) => testContainer(name, { command: ['sh', '-c', `${say} ${LOOP[2]}`] }));
  const pod = testPod({ containers }, { name: 'share', uid: 'pt-share' });
  life.manager.set(pod);
  const status = await life.statuses.until('share', isReady);
  assert.equal(status.podIP, '10.244.1.5');
  const worker = life.manager.byUid('pt-share');
  const ns = readlinkSync(`/proc/${worker?.sandbox?.pid}/ns/net`);
  await life.remove(pod);
  life.close();
  assert.notEqual(ns, readlinkSync('/proc/self/ns/net'));
  assert.equal(existsSync('/written'), false);
  assertNothingLeft(life.ctx, pod);
});

test('a container says what it shares: the log tells', { skip }, async () => {
  const life = await kubelet('say');
  const command = ['sh', '-c', 'hostname; readlink /proc/self/ns/net; echo to-err >&2; printf unfinished; exit 3'];
  const pod = testPod(
    { restartPolicy: 'Never', containers: [testContainer('a', { command })] },
    { name: 'say', uid: 'pt-say' },
  );
  life.manager.set(pod);
  const status = await life.statuses.until('say', (s) => s.phase === 'Failed');
  const end = status.containerStatuses?.[0]?.state.terminated;
  assert.deepEqual([end?.exitCode, end?.reason], [3, 'Error']);
  const lines = (await logOf(life, pod, 'a')).split('\n');
  assert.deepEqual([lines[0], lines[2], lines[3]], ['say', 'to-err', 'unfinished']);
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});

test('a new kubelet takes up running pods as they are', { skip }, async () => {
  const first = await kubelet('adopt');
  const pod = testPod({ containers: [testContainer('c', { command: LOOP })] }, { name: 'adopt', uid: 'pt-adopt' });
  first.manager.set(pod);
  await first.statuses.until('adopt', isReady);
  const before = first.manager.byUid('pt-adopt');
  const facts = [before?.sandbox?.pid, before?.keeper('c')?.latest?.pid, before?.sandbox?.ips?.[0]];
  first.close();
  const second = await kubelet('adopt');
  second.manager.set(pod);
  const status = await second.statuses.until('adopt', isReady);
  const now = second.manager.byUid('pt-adopt');
  assert.deepEqual([now?.sandbox?.pid, now?.keeper('c')?.latest?.pid, now?.sandbox?.ips?.[0]], facts);
  assert.equal(status.containerStatuses?.[0]?.restartCount, 0);
  await second.remove(pod);
  second.close();
  assertNothingLeft(second.ctx, pod);
});

test('how a container ended while no kubelet ran is known to the next', { skip }, async () => {
  const first = await kubelet('away');
  const command = ['sh', '-c', 'trap "exit 7" TERM; echo up; while :; do sleep 0.05; done'];
  const pod = testPod(
    { restartPolicy: 'Never', containers: [testContainer('c', { command })] },
    { name: 'away', uid: 'pt-away' },
  );
  first.manager.set(pod);
  await first.statuses.until('away', isReady);
  const pid = first.manager.byUid('pt-away')?.keeper('c')?.latest?.pid ?? 0;
  first.close();
  while (!(await logOf(first, pod, 'c')).includes('up')) await new Promise((resolve) => setImmediate(resolve));
  process.kill(pid, 'SIGTERM');
  const second = await kubelet('away');
  second.manager.set(pod);
  const status = await second.statuses.until('away', (s) => s.phase === 'Failed');
  assert.equal(status.containerStatuses?.[0]?.state.terminated?.exitCode, 7);
  await second.remove(pod);
  second.close();
  assertNothingLeft(second.ctx, pod);
});

test('a pod that was deleted while no kubelet ran is cleared away', { skip }, async () => {
  const first = await kubelet('orphan');
  const pod = testPod({ containers: [testContainer('c', { command: LOOP })] }, { name: 'orphan', uid: 'pt-orphan' });
  first.manager.set(pod);
  await first.statuses.until('orphan', isReady);
  first.close();
  const second = await kubelet('orphan');
  second.manager.keepOnly(new Set());
  while (second.manager.workers().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  second.close();
  assertNothingLeft(second.ctx, pod);
});

test('pause that dies is replaced, and the containers come back in the new sandbox', { skip }, async () => {
  const life = await kubelet('pause');
  const pod = testPod({ containers: [testContainer('c', { command: LOOP })] }, { name: 'pause', uid: 'pt-pause' });
  life.manager.set(pod);
  await life.statuses.until('pause', isReady);
  const worker = life.manager.byUid('pt-pause');
  const pid = worker?.sandbox?.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  while (commandLine(String(pid)) !== '') await new Promise((resolve) => setImmediate(resolve));
  worker?.inspect();
  await life.statuses.until('pause', (s) => isReady(s) && s.containerStatuses?.[0]?.restartCount === 1);
  assert.equal(worker?.sandbox?.attempt, 1);
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});

test('a container whose tend was killed is ended and started anew', { skip }, async () => {
  const life = await kubelet('tend');
  const pod = testPod({ containers: [testContainer('c', { command: LOOP })] }, { name: 'tend', uid: 'pt-tend' });
  life.manager.set(pod);
  await life.statuses.until('tend', isReady);
  const worker = life.manager.byUid('pt-tend');
  const { pid = 0, id = '' } = worker?.keeper('c')?.latest ?? {};
  const tend = processesOf(id).find(({ line }) => line.includes('--exit'))?.pid ?? 0;
  process.kill(tend, 'SIGKILL');
  while (commandLine(String(tend)) !== '') await new Promise((resolve) => setImmediate(resolve));
  worker?.inspect();
  const status = await life.statuses.until('tend', (s) => isReady(s) && s.containerStatuses?.[0]?.restartCount === 1);
  assert.equal(status.containerStatuses?.[0]?.lastState.terminated?.reason, 'ContainerStatusUnknown');
  while (commandLine(String(pid)) !== '') await new Promise((resolve) => setImmediate(resolve));
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});

test('a command that is not there is a StartError with the runtime’s message', { skip }, async () => {
  const life = await kubelet('bad');
  const pod = testPod(
    { restartPolicy: 'Never', containers: [testContainer('c', { command: ['/no/such'] })] },
    { name: 'bad', uid: 'pt-bad' },
  );
  life.manager.set(pod);
  const status = await life.statuses.until('bad', (s) => s.phase === 'Failed');
  const end = status.containerStatuses?.[0]?.state.terminated;
  assert.deepEqual([end?.exitCode, end?.reason], [128, 'StartError']);
  assert.match(end?.message ?? '', /no such file/);
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});

test('pause reaps what is orphaned in a shared PID namespace', { skip }, async () => {
  const life = await kubelet('reap');
  // The grandchild is orphaned when the subshell ends; as a zombie it would be listed for ever.
  const wait = 'while ps -o comm | grep -qx sleep; do :; done';
  const script = `tr "\\0" " " < /proc/1/cmdline; echo; ( sleep 0.05 & ) ; ${wait}; echo reaped`;
  const containers = [testContainer('c', { command: ['sh', '-c', script] })];
  const pod = testPod(
    { restartPolicy: 'Never', shareProcessNamespace: true, containers },
    { name: 'reap', uid: 'pt-reap' },
  );
  life.manager.set(pod);
  await life.statuses.until('reap', (s) => s.phase === 'Succeeded');
  const log = await logOf(life, pod, 'c');
  assert.match(log, /^\/pause /);
  assert.match(log, /\nreaped\n/);
  await life.remove(pod);
  life.close();
  assertNothingLeft(life.ctx, pod);
});
