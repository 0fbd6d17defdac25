import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { unmount } from '#kernel/mounts.ts';
import { deleteNetns } from '#kernel/netns/named.ts';
import { machineMountsBelow } from '#lab/mounts.ts';
import { labPaths } from '#lab/names.ts';
import { supervisorProcess } from '#lab/supervisor/client.ts';
import { labNetns } from '#lab/underlay.ts';
import { eventually, labPids, leftovers, type TestLab, testLab } from './support/lab.ts';
import { noKubectl, noLab, result, startPolder } from './support/polder.ts';

const skip = noLab() || noKubectl();

/** The lab once every program runs and every node is ready, the program under another process id than before. */
function recovered(lab: TestLab, program: string, before: number) {
  return eventually(`${program} is back`, async () => {
    const status = await lab.status();
    const now = status.programs.find(({ id }) => id === program)?.pid;
    return status.state === 'up' && now !== undefined && now !== before ? status : undefined;
  });
}

test('kill -9 of each program: it comes back, and not one packet between pods is lost', { skip }, async (t) => {
  await using lab = await testLab('up', '--nodes', '2');
  const state =
    "kubectl get pods -o jsonpath='{.items[*].status.podIP} {.items[*].status.containerStatuses[0].containerID}'";
  const start = (name: string, node: string, command: string) =>
    lab.kubectl(
      `kubectl run ${name} --image=nicolaka/netshoot --overrides='{"apiVersion":"v1","spec":{"nodeName":"${node}"}}' --command -- ${command}
       kubectl wait --for=condition=Ready pod/${name} --timeout=30s`,
    );
  await start('b', 'node2', 'sleep 600');
  const peer = await lab.kubectl("kubectl get pod b -o jsonpath='{.status.podIP}'");
  await start('a', 'node1', `ping -i 0.05 ${peer}`);
  const before = await lab.kubectl(state);
  for (const program of ['apiserver', 'controller', 'node1/agent', 'node2/agent', 'node1/kubelet']) {
    await t.test(`${program}`, async () => {
      const pid = (await lab.status()).programs.find(({ id }) => id === program)?.pid;
      assert.ok(pid);
      process.kill(pid, 'SIGKILL');
      await recovered(lab, program, pid);
      await eventually('exec works again', async () =>
        (await lab.tryKubectl('kubectl exec a -- true')).status === 0 ? true : undefined,
      );
      assert.equal(await lab.kubectl(state), before);
    });
  }
  await t.test('every packet was answered meanwhile', async () => {
    const seen = [...(await lab.kubectl('kubectl logs a')).matchAll(/icmp_seq=(\d+)/g)].map(([, seq]) => Number(seq));
    assert.ok(seen.length > 20);
    assert.deepEqual(
      seen,
      seen.map((_, index) => index + 1),
    );
  });
  await t.test('new pods start after all that', async () => {
    await start('c', 'node1', 'sleep 600');
  });
});

test('kill -9 of the supervisor: its programs go on, and lab up finds them again', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '1');
  const before = (await lab.status()).programs.map(({ id, pid }) => `${id} ${pid}`);
  const supervisor = supervisorProcess(lab.name);
  assert.ok(supervisor);
  process.kill(supervisor.pid, 'SIGKILL');
  assert.match((await lab.tryKubectl('kubectl get nodes')).stdout, /node1 +Ready/);
  assert.equal((await lab.status()).state, 'degraded');
  await lab.must('up');
  const after = await lab.status();
  assert.deepEqual(
    after.programs.map(({ id, pid }) => `${id} ${pid}`),
    before,
  );
  const agent = after.programs.find(({ id }) => id === 'node1/agent')?.pid;
  assert.ok(agent);
  process.kill(agent, 'SIGKILL');
  await recovered(lab, 'node1/agent', agent);
});

test('kill -9 of everything at once: lab up mends it, and pods run again', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2');
  await lab.kubectl(
    'kubectl run a --image=busybox --command -- sleep 600 && kubectl wait --for=condition=Ready pod/a --timeout=30s',
  );
  for (const pid of labPids(lab.name)) process.kill(pid, 'SIGKILL');
  await lab.must('up');
  await eventually('the pod runs again', async () => {
    const ran = await lab.tryKubectl('kubectl exec a -- hostname');
    return ran.stdout === 'a\n' ? true : undefined;
  });
});

test('kill -9 of everything at once: lab down leaves nothing', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2');
  await lab.kubectl('kubectl run a --image=nginx && kubectl wait --for=condition=Ready pod/a --timeout=30s');
  for (const pid of labPids(lab.name)) process.kill(pid, 'SIGKILL');
  await lab.must('down', '-y');
  assert.deepEqual(leftovers(lab.name), []);
});

test('after a reboot lab up mends: processes, namespaces, mounts and /run are gone, the disk is there', {
  skip,
}, async () => {
  await using lab = await testLab('up', '--nodes', '2');
  await lab.kubectl('kubectl run a --image=busybox --command -- sleep 600');
  await lab.kubectl('kubectl run b --image=nginx && kubectl wait --for=condition=Ready pod/a pod/b --timeout=30s');
  await powerCut(lab.name);
  assert.equal((await lab.status()).state, 'down');
  await lab.must('up');
  await eventually('both pods run again', async () => {
    const ran = await lab.tryKubectl('kubectl exec a -- hostname && kubectl exec b -- hostname');
    return ran.stdout === 'a\nb\n' ? true : undefined;
  });
  await lab.must('verify');
});

/** All that a machine forgets when its power fails. */
async function powerCut(name: string): Promise<void> {
  const { dir, runDir } = labPaths(name);
  await eventually('every process has ended', async () => {
    for (const pid of labPids(name)) process.kill(pid, 'SIGKILL');
    return labPids(name).length === 0 ? true : undefined;
  });
  for (const point of machineMountsBelow([dir, runDir])) unmount(point);
  for (const netns of labNetns(name)) deleteNetns(netns);
  rmSync(runDir, { recursive: true });
}

// Moments before, in and after each of its steps.
for (const ms of [120, 180, 250, 350, 500, 800, 1200]) {
  test(`kill -9 of lab up after ${ms} ms: lab down leaves nothing`, { skip }, async () => {
    await using lab = await testLab();
    const up = startPolder(['lab', 'up', '--name', lab.name, '--nodes', '2']);
    const killer = setTimeout(() => up.kill('SIGKILL'), ms);
    await result(up);
    clearTimeout(killer);
    await lab.must('down', '-y');
    assert.deepEqual(leftovers(lab.name), []);
  });
}

test('kill -9 of lab up half-way: the next lab up goes on', { skip }, async () => {
  await using lab = await testLab();
  const up = startPolder(['lab', 'up', '--name', lab.name, '--nodes', '2']);
  setTimeout(() => up.kill('SIGKILL'), 400);
  await result(up);
  await lab.must('up', '--nodes', '2');
  assert.equal((await lab.status()).state, 'up');
});

test('Ctrl-C in lab up says what is left and how to go on', { skip }, async () => {
  await using lab = await testLab();
  const up = startPolder(['lab', 'up', '--name', lab.name, '--nodes', '2']);
  const said = result(up);
  await eventually('it has begun to wait', async () => (supervisorProcess(lab.name) === undefined ? undefined : true));
  up.kill('SIGINT');
  const ran = await said;
  if (ran.status === 0) return; // it was quicker
  assert.equal(ran.status, 130);
  assert.match(ran.stderr, /lab down` removes it/);
  await lab.must('down', '-y');
  assert.deepEqual(leftovers(lab.name), []);
});
