import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { bothLives, noReference, ourNode } from '#cni/testing/differential.ts';

const skip = noReference('loopback');

test('loopback as the reference', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const { ours, theirs } = await bothLives(b, () => ({ conf: { type: 'loopback' }, env: { CNI_IFNAME: 'lo' } }));
  assert.deepEqual(ours, theirs);
});

test('loopback passes what came before it, and CHECK sees lo down', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const prevResult = { cniVersion: '1.0.0', ips: [{ address: '10.1.0.5/24' }], dns: {} };
  const conf = { cniVersion: '1.0.0', name: 'lo', type: 'loopback' };
  assert.deepEqual((await node.cni('ADD', { ...conf, prevResult })).json, prevResult);
  node.sh('ip link set lo down', 'pod');
  assert.equal((await node.cni('CHECK', { ...conf, prevResult })).json?.code, 112);
  node.sh('ip link set lo up && ip addr add 10.1.0.5/24 dev lo', 'pod');
  assert.equal((await node.cni('ADD', conf)).json?.code, 8);
});
