/** ipvlan, vlan and dummy where the kernel has none: refused with one sentence. On one that has them: stacked.vm.test.ts. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { noReference, ourNode } from '#cni/testing/differential.ts';

const UPLINK = 'ip link add up0 type veth peer name up1 && ip link set up1 up && ip link set up0 up';

const CONFS = {
  ipvlan: { type: 'ipvlan', master: 'up0' },
  vlan: { type: 'vlan', master: 'up0', vlanId: 100 },
  dummy: { type: 'dummy' },
} as const;

for (const [type, conf] of Object.entries(CONFS)) {
  test(`${type}: refused with the feature’s name where the kernel has none, and nothing is left`, {
    skip: noReference('host-local'),
  }, async (t) => {
    const b = await bed(t, ROUTED);
    using node = ourNode(b);
    node.sh(UPLINK);
    const ipam = { type: 'host-local', dataDir: join(b.dir, 'ipam'), subnet: '10.9.0.0/24' };
    const all = { cniVersion: '1.1.0', name: 'net', ...conf, ipam };
    const { exit, json } = await node.cni('ADD', all);
    if (exit === 0) return t.skip(`this kernel has ${type}`);
    assert.equal(json?.code, 100);
    assert.match(String(json.msg), new RegExp(`^The kernel has no interfaces of kind ${type}`));
    assert.doesNotMatch(node.sh('ip link', 'pod'), /eth0|pc/);
    assert.equal((await node.cni('DEL', all)).exit, 0);
  });
}

test('ipvlan, vlan: the key that is wrong is named before the kernel is asked', {
  skip: noReference('host-local'),
}, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  node.sh(UPLINK);
  const said = async (conf: object) =>
    String((await node.cni('ADD', { cniVersion: '1.0.0', name: 'net', ...conf })).json?.msg);
  assert.match(await said({ type: 'ipvlan', master: 'up0', mode: 'l4' }), /mode must be one of l2, l3, l3s/);
  assert.match(await said({ type: 'vlan', master: 'up0', vlanId: 4095 }), /vlanId must be from 0 to 4094/);
  assert.match(await said({ type: 'vlan', vlanId: 7 }), /master must be/);
  assert.match(await said({ type: 'vlan', master: 'none' }), /master must be an interface that is there/);
  assert.match(await said({ type: 'dummy' }), /ipam\.type is missing/);
});
