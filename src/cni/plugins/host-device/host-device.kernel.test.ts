import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { bothLives, noReference, ourNode } from '#cni/testing/differential.ts';

const skip = noReference('host-device', 'host-local');

const DEVICE =
  'ip link add dev7 address 02:00:00:00:00:07 type veth peer name dev8 && ip link set dev7 up && ip link set dev8 up';
const V4 = { subnet: '10.9.0.0/24', routes: [{ dst: '0.0.0.0/0' }] };

test('host-device as the reference: by name, with addresses', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const { ours, theirs } = await bothLives(b, (dataDir) => ({
    prepare: DEVICE,
    conf: { type: 'host-device', device: 'dev7', ipam: { type: 'host-local', dataDir, ...V4 } },
  }));
  assert.deepEqual(ours, theirs);
});

test('host-device as the reference: by hardware address, without', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const { ours, theirs } = await bothLives(b, () => ({
    prepare: DEVICE,
    conf: { type: 'host-device', hwaddr: '02:00:00:00:00:07' },
    theirCheck: 'it calls an IPAM plugin that nobody named',
  }));
  assert.deepEqual(ours, theirs);
});

test('host-device: refusals leave the device where it was, and DEL brings it back', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  node.sh(DEVICE);
  const conf = { cniVersion: '1.1.0', name: 'net', type: 'host-device', device: 'dev7' };
  const code = async (command: string, more: object = {}, env = {}) =>
    (await node.cni(command, { ...conf, ...more }, env)).json?.code;
  assert.equal(await code('ADD', { device: 'none' }), 7);
  assert.equal(await code('ADD', { device: 'lo' }), 7);
  assert.equal(await code('ADD', { device: '' }), 7);
  assert.equal(await code('ADD', { device: '', kernelpath: '/etc' }), 7);
  assert.equal(await code('ADD', { device: '', pciBusID: '../x' }), 7);
  const ipam = {
    type: 'host-local',
    dataDir: join(b.dir, 'ipam'),
    ...V4,
    routes: [{ dst: '10.1.0.0/16', gw: '10.77.0.1' }],
  };
  assert.equal(await code('ADD', { ipam }), 101);
  assert.match(node.sh('ip link show dev7'), /dev7/);
  assert.equal(await code('ADD'), undefined);
  assert.equal(await code('ADD'), 111);
  assert.equal(await code('DEL'), undefined);
  assert.doesNotMatch(node.sh('ip link show dev7'), /alias/);
  assert.equal(await code('ADD'), undefined);
  node.sh('ip link add dev7 type bridge');
  assert.equal(await code('DEL'), undefined);
  assert.match(node.sh('ip link show dev8'), /dev8@(?!if)/);
  assert.equal(await code('DEL'), undefined);
  // Another plugin's interface is none of ours.
  node.sh('ip link add eth0 type bridge', 'pod');
  assert.equal(await code('DEL'), undefined);
  assert.match(node.sh('ip link show eth0', 'pod'), /eth0/);
});

test('host-device: a device whose alias the pod has made no name of comes back all the same', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const conf = { cniVersion: '1.1.0', name: 'net', type: 'host-device', device: 'dev7' };
  for (const alias of ['my uplink', 'x%d', 'a/b', 'longer-than-fifteen']) {
    node.sh(DEVICE);
    assert.equal((await node.cni('ADD', conf)).exit, 0);
    node.sh(`ip link set eth0 alias '${alias}'`, 'pod');
    assert.equal((await node.cni('DEL', conf)).exit, 0);
    assert.doesNotMatch(node.sh('ip link', 'pod'), /eth0/, alias);
    const back = node
      .sh('ip -br link show type veth')
      .split('\n')
      .find((line) => !line.startsWith('dev8') && line !== '');
    assert.match(back ?? '', /^dev\d+@dev8 .*02:00:00:00:00:07/);
    assert.doesNotMatch(node.sh('ip -d link'), /alias/);
    node.sh('ip link del dev8');
  }
});
