import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, labNamespaces, leftovers, machineNetwork, processesIn, testLab } from './support/lab.ts';
import { noKubectl, noLab, polder } from './support/polder.ts';

const skip = noLab() || noKubectl();

test('lab up makes what lab down leaves nothing of, and the machine’s own network stays as it is', {
  skip,
}, async () => {
  const before = machineNetwork();
  await using lab = await testLab('up');
  await lab.kubectl('kubectl create deployment x --image=busybox 2>/dev/null; kubectl run a --image=nginx');
  await lab.kubectl('kubectl wait --for=condition=Ready pod/a --timeout=30s');
  assert.equal(machineNetwork(), before);
  const namespaces = labNamespaces(lab.name);
  assert.ok(namespaces.size >= 4, 'three nodes and a pod');
  assert.notDeepEqual(leftovers(lab.name), []);
  assert.match(await lab.must('down', '-y'), /is gone/);
  assert.deepEqual(leftovers(lab.name), []);
  assert.deepEqual(processesIn(namespaces), []);
  assert.equal(machineNetwork(), before);
});

test('lab verify --timeout is how long a pod may take; then it says so, and leaves nothing', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '1');
  const ran = await lab.run('verify', '--timeout', '0');
  assert.match(ran.stderr, /trial-\d/, ran.stderr);
  assert.notEqual(ran.status, 0);
  assert.doesNotMatch(await lab.kubectl('kubectl get pods -A'), /polder-verify/);
  assert.match(await lab.must('verify', '--timeout', '90'), /^ok {4}M1/m);
});

test('lab up twice changes nothing, and says the same again', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2');
  const pids = (await lab.status()).programs.map(({ id, pid }) => `${id} ${pid}`);
  assert.match(await lab.must('up'), /2 nodes/);
  assert.deepEqual(
    (await lab.status()).programs.map(({ id, pid }) => `${id} ${pid}`),
    pids,
  );
});

test('lab up of a lab that is there refuses to make it another, and says what differs', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '1');
  const ran = await lab.run('up', '--nodes', '2');
  assert.equal(ran.status, 13);
  assert.match(ran.stderr, /is there already, with the nodes node1, not node1, node2/);
  assert.equal((await lab.run('up', '--profile', 'flannel-vxlan')).status, 13);
});

test('lab up prints what a newcomer needs next', { skip }, async () => {
  await using lab = await testLab();
  const said = await lab.must('up', '--nodes', '1');
  const path = (await lab.must('kubeconfig')).trim();
  assert.ok(said.includes(`export KUBECONFIG=${path}\n`));
  assert.equal(said.match(/^ {2}(kubectl|sudo) /gm)?.length, 3);
});

test('two labs live side by side, and the end of one is nothing to the other', { skip }, async () => {
  await using one = await testLab('up', '--nodes', '2');
  await using two = await testLab('up', '--nodes', '2', '--profile', 'flannel-host-gw');
  const [a, b] = [await one.status(), await two.status()];
  assert.notEqual(a.server, b.server);
  assert.deepEqual(
    a.nodeStatus.map(({ address }) => address),
    b.nodeStatus.map(({ address }) => address),
  );
  const names = (JSON.parse((await polder(['lab', 'list', '-o', 'json'])).stdout) as { name: string }[]).map(
    (lab) => lab.name,
  );
  assert.ok(names.includes(one.name) && names.includes(two.name));
  await one.must('down', '-y');
  assert.deepEqual(leftovers(one.name), []);
  assert.equal((await two.status()).state, 'up');
  await two.kubectl(
    'kubectl run a --image=busybox --command -- sleep 600 && kubectl wait --for=condition=Ready pod/a --timeout=30s',
  );
});

test('labs that are brought up at the same time have a port each', { skip }, async () => {
  const labs = await Promise.all([1, 2, 3].map(() => testLab()));
  try {
    await Promise.all(labs.map((lab) => lab.must('up', '--nodes', '1')));
    const servers = await Promise.all(labs.map(async (lab) => (await lab.status()).server));
    assert.equal(new Set(servers).size, 3);
  } finally {
    await Promise.all(labs.map((lab) => lab[Symbol.asyncDispose]()));
  }
});

test('lab down of no lab, and a second one, succeed', { skip }, async () => {
  await using lab = await testLab();
  assert.match(await lab.must('down', '-y'), /There was no lab/);
});

test('lab node add, stop, start and remove', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2');
  await lab.must('node', 'add', 'extra', '--label', 'disk=ssd', '--taint', 'dedicated=db:NoSchedule');
  assert.match(
    await lab.kubectl('kubectl get node extra -o jsonpath="{.metadata.labels.disk} {.spec.taints[0].key}"'),
    /^ssd dedicated$/,
  );
  assert.equal((await lab.run('node', 'add', 'extra')).status, 2);

  await lab.kubectl(
    'kubectl run a --image=busybox --overrides=\'{"spec":{"nodeName":"node2"}}\' --command -- sleep 600',
  );
  await lab.kubectl('kubectl wait --for=condition=Ready pod/a --timeout=30s');
  await lab.must('node', 'stop', 'node2');
  const stopped = await lab.status();
  assert.equal(stopped.nodeStatus.find(({ name }) => name === 'node2')?.state, 'Stopped');
  assert.ok(!stopped.programs.some(({ id }) => id.startsWith('node2/')));
  assert.equal(stopped.state, 'up');
  assert.equal((await lab.run('shell', 'node2', '--', 'true')).status, 2);

  await lab.must('node', 'start', 'node2');
  await eventually('the pod of the restarted node runs again', async () => {
    const ran = await lab.tryKubectl('kubectl exec a -- hostname');
    return ran.status === 0 ? ran.stdout : undefined;
  });

  await lab.must('node', 'remove', 'extra', '-y');
  assert.doesNotMatch(await lab.kubectl('kubectl get nodes -o name'), /extra/);
  const ran = await lab.run('node', 'stop', 'extra');
  assert.equal(ran.status, 11);
  assert.match(ran.stderr, /has no node "extra"; it has node1, node2/);
});

test('lab shell is in the node: its interfaces in ip and in /sys, its name, kubectl', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '1');
  const words = ['lab', 'shell', '--name', lab.name, 'node1', '--', 'sh', '-c'];
  const shell = async (line: string) => (await polder([...words, line])).stdout;
  assert.match(await shell('ip -br addr show eth0'), /192\.168\.1\.101\/24/);
  assert.equal(await shell('cat /sys/class/net/eth0/ifindex'), await shell('ip -o link show eth0 | cut -d: -f1'));
  assert.match(await shell('hostname'), /^node1$/m);
  assert.match(await shell('kubectl get nodes -o name'), /node\/node1/);
  assert.equal((await polder([...words, 'exit 7'])).status, 7);
  assert.equal((await polder([...words, 'kill -9 $$'])).status, 137);
  assert.notEqual((await shell('ls /sys/fs/cgroup')).trim(), '');
});

test('the lab is sealed: no way leads from a node to the machine’s own addresses, nor back', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '1');
  const at = (node: string, line: string) => polder(['lab', 'shell', '--name', lab.name, node, '--', 'sh', '-c', line]);
  assert.notEqual((await at('underlay', 'ip route get 192.0.2.1')).status, 0);
  assert.doesNotMatch((await at('underlay', 'ip -o link')).stdout, /eth0@|link-netnsid 0 .*eth/);
  assert.notEqual((await at('node1', 'ping -c1 -W1 192.0.2.1')).status, 0);
  assert.ok(!machineNetwork().includes('192.168.1.'));
});
