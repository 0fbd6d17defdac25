import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NodeInput, nodeObject, nodeStatus, parseTaint } from '#lab/kubelet/node/node-object.ts';

const INPUT: NodeInput = {
  name: 'node1',
  ips: ['192.168.1.101'],
  labels: { zone: 'a' },
  taints: ['dedicated=db:NoSchedule'],
  cpus: 2,
  memory: 2 ** 30,
  maxPods: 110,
  info: { architecture: 'amd64' },
};

test('a node registers with its labels, taints, address and amounts', () => {
  const node = nodeObject(INPUT, '2026-01-01T00:00:00Z');
  assert.equal(node.metadata.labels?.['kubernetes.io/hostname'], 'node1');
  assert.equal(node.metadata.labels?.['kubernetes.io/arch'], 'amd64');
  assert.equal(node.metadata.labels?.zone, 'a');
  assert.deepEqual(node.spec?.taints, [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }]);
  assert.deepEqual(node.status?.addresses?.[0], { type: 'InternalIP', address: '192.168.1.101' });
  assert.equal(node.status?.capacity?.pods, '110');
  assert.equal(node.status?.capacity?.memory, '1048576Ki');
});

test('a heartbeat keeps transition times and the conditions of others', () => {
  const before = nodeObject({ ...INPUT, notReady: 'no network' }, '2026-01-01T00:00:00Z');
  const foreign = { type: 'NetworkUnavailable', status: 'False' as const };
  const known = {
    ...before,
    status: { ...before.status, conditions: [foreign, ...(before.status?.conditions ?? [])] },
  };
  const { conditions = [] } = nodeStatus(INPUT, known, '2026-01-01T00:01:00Z');
  const of = (type: string) => conditions.find((c) => c.type === type);
  assert.deepEqual(of('NetworkUnavailable'), foreign);
  assert.equal(of('Ready')?.status, 'True');
  assert.equal(of('Ready')?.lastTransitionTime, '2026-01-01T00:01:00Z');
  assert.equal(of('DiskPressure')?.lastTransitionTime, '2026-01-01T00:00:00Z');
  assert.equal(of('DiskPressure')?.lastHeartbeatTime, '2026-01-01T00:01:00Z');
});

test('taints are read, and nothing else is', () => {
  assert.deepEqual(parseTaint('k:NoExecute'), { key: 'k', effect: 'NoExecute' });
  assert.throws(() => parseTaint('k=v'), SyntaxError);
});
