/** ipvlan, vlan and dummy: compared with the reference where the kernel has them, refused with one sentence where not. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { bothLives, noReference, ourNode } from '#cni/testing/differential.ts';

const UPLINK = 'ip link add up0 type veth peer name up1 && ip link set up1 up && ip link set up0 up';
const V4 = { subnet: '10.9.0.0/24', routes: [{ dst: '0.0.0.0/0' }] };

const CASES = {
  ipvlan: { conf: { type: 'ipvlan', master: 'up0', mode: 'l2', mtu: 1400 }, reference: true },
  vlan: { conf: { type: 'vlan', master: 'up0', vlanId: 100 }, reference: true },
  // Younger than Debian's reference plugins.
  dummy: { conf: { type: 'dummy' }, reference: false },
} as const;

for (const [type, { conf, reference }] of Object.entries(CASES)) {
  test(`${type}: as the reference, or refused with the feature’s name`, {
    skip: noReference('host-local', ...(reference ? [type] : [])),
  }, async (t) => {
    const b = await bed(t, ROUTED);
    using node = ourNode(b);
    node.sh(UPLINK);
    const all = {
      cniVersion: '1.1.0',
      name: 'net',
      ...conf,
      ipam: { type: 'host-local', dataDir: join(b.dir, 'one'), ...V4 },
    };
    const { exit, json, stdout } = await node.cni('ADD', all);
    if (json?.code === 100) {
      assert.match(String(json.msg), new RegExp(`^The kernel has no interfaces of kind ${type}`));
      assert.doesNotMatch(node.sh('ip link', 'pod'), /eth0|pc/);
      assert.equal((await node.cni('DEL', all)).exit, 0);
      return;
    }
    assert.equal(exit, 0, stdout);
    assert.equal((await node.cni('CHECK', { ...all, prevResult: json })).exit, 0);
    assert.equal((await node.cni('DEL', all)).exit, 0);
    if (!reference) return;
    const { ours, theirs } = await bothLives(b, (dataDir) => ({
      prepare: UPLINK,
      conf: { ...conf, ipam: { type: 'host-local', dataDir, ...V4 } },
    }));
    assert.deepEqual(ours, theirs);
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
