import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bed, noBed, ROUTED } from '#cni/testing/bed.ts';
import { ourNode } from '#cni/testing/differential.ts';

test('tap: a persistent interface with its owner, addresses and bridge', { skip: noBed() }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const ipam = { type: 'host-local', dataDir: join(b.dir, 'ipam'), subnet: '10.9.0.0/24' };
  const conf = {
    cniVersion: '1.1.0',
    name: 'net',
    type: 'tap',
    owner: 42421,
    group: 42422,
    mtu: 1400,
    multiQueue: true,
    ipam,
  };
  const added = await node.cni('ADD', { ...conf, runtimeConfig: { mac: '02:11:22:33:44:55' } });
  if (added.json?.code === 100) return t.skip(String(added.json.msg));
  assert.equal(added.exit, 0, added.stdout);
  const link = node.sh('ip -d link show eth0', 'pod');
  assert.match(link, /mtu 1400/);
  assert.match(link, /02:11:22:33:44:55/);
  assert.match(link, /tun type tap .*multi_queue .*persist on user 42421 group 42422/);
  const prevResult = added.json;
  const code = async (command: string, more: object = {}) => (await node.cni(command, { ...conf, ...more })).json?.code;
  assert.equal(await code('CHECK', { prevResult }), undefined);
  assert.equal(await code('CHECK', { prevResult, owner: 1 }), 112);
  assert.equal(await code('ADD'), 111);
  assert.equal(await code('DEL'), undefined);
  assert.equal(await code('DEL'), undefined);
  assert.doesNotMatch(node.sh('ip link', 'pod'), /eth0/);
  const { ipam: _, ...bare } = conf;
  assert.equal(await code('ADD', { ...bare, ipam: undefined, bridge: 'br0' }), 7);
  node.sh('ip link add br0 type bridge', 'pod');
  assert.equal((await node.cni('ADD', { ...bare, bridge: 'br0', mac: '02-11-22-33-44-66' })).exit, 0);
  assert.match(node.sh('ip link show eth0', 'pod'), /02:11:22:33:44:66/);
  assert.match(node.sh('ip link show eth0', 'pod'), /master br0 .*/);
  assert.equal(await code('STATUS'), undefined);
});
