/** VLANs of a bridge's ports, on a kernel that filters them. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { bed, pathOf, ROUTED } from '#cni/testing/bed.ts';
import { bothLives, type Node, noReference, ourNode } from '#cni/testing/differential.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { noFeature } from '#kernel/testing/feature.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip =
  noReference('bridge', 'host-local') ||
  noFeature({ op: 'link.add', link: { name: 'x', info: { kind: 'bridge', vlanFiltering: true } } });

const V4 = { subnet: '10.9.0.0/24' };

const CASES: Readonly<Record<string, object>> = {
  'a VLAN': { vlan: 100 },
  'a VLAN, hairpin': { vlan: 4094, hairpinMode: true },
  'a VLAN with the gateway in it': { vlan: 100, isGateway: true },
};

for (const [name, conf] of Object.entries(CASES)) {
  test(`bridge as the reference: ${name}`, { skip }, async (t) => {
    const b = await bed(t, ROUTED);
    const { ours, theirs } = await bothLives(b, (dataDir) => ({
      conf: { type: 'bridge', bridge: 'br7', ...conf, ipam: { type: 'host-local', dataDir, ...V4 } },
    }));
    assert.deepEqual(ours, theirs);
  });
}

/** Pods of one node, each with keys of its own. */
function pods(node: Node, dataDir: string) {
  let count = 0;
  const call = async (command: string, id: string, netns: Netns, more: object) => {
    const ipam = { type: 'host-local', dataDir, ...V4 };
    const conf = { cniVersion: '1.1.0', name: 'net', type: 'bridge', bridge: 'br7', ipam, ...more };
    return node.cni(command, conf, { CNI_CONTAINERID: id, CNI_NETNS: pathOf(netns) });
  };
  return {
    call,
    async add(t: { after(fn: () => void): void }, more: object) {
      const netns = scratchNetns();
      t.after(() => netns.close());
      const id = `c${++count}`;
      const { exit, stdout, json } = await call('ADD', id, netns, more);
      assert.equal(exit, 0, stdout);
      return { id, netns, prevResult: json, addr: `10.9.0.${count + 1}` };
    },
  };
}

function pings(from: Netns, to: string): boolean {
  return inNetns(from, () => spawnSync('ping', ['-n', '-c', '1', '-W', '1', to])).status === 0;
}

function run(netns: Netns, line: string): void {
  const { status, stderr } = inNetns(netns, () => spawnSync('sh', ['-c', line], { encoding: 'utf8' }));
  assert.equal(status, 0, stderr);
}

test('bridge vlan: pods of one VLAN reach one another, those of two do not; a trunk carries several, tagged', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const all = pods(node, join(b.dir, 'ipam'));
  const [one, two, other] = [
    await all.add(t, { vlan: 100 }),
    await all.add(t, { vlan: 100 }),
    await all.add(t, { vlan: 200 }),
  ];
  assert.ok(pings(one.netns, two.addr), 'one VLAN');
  assert.ok(!pings(one.netns, other.addr), 'two VLANs');
  const vlanTrunk = [{ id: 100 }, { minID: 200, maxID: 300 }];
  const trunk = await all.add(t, { vlanTrunk, preserveDefaultVlan: false });
  assert.ok(!pings(trunk.netns, one.addr), 'without a tag');
  for (const [id, addr] of [
    [100, '10.9.0.100/24'],
    [200, '10.9.0.200/24'],
  ] as const)
    run(
      trunk.netns,
      `ip addr flush dev eth0; ip link add link eth0 name e${id} type vlan id ${id} && ip addr add ${addr} dev e${id} && ip link set e${id} up`,
    );
  run(trunk.netns, 'ip route del 10.9.0.0/24 dev e200');
  assert.ok(pings(trunk.netns, one.addr), 'VLAN 100 of the trunk');
  run(trunk.netns, 'ip route del 10.9.0.0/24 dev e100; ip route add 10.9.0.0/24 dev e200 src 10.9.0.200');
  assert.ok(pings(trunk.netns, other.addr), 'VLAN 200 of the trunk');
  assert.ok(!pings(trunk.netns, one.addr), 'not VLAN 100 by 200');
});

test('bridge vlan: the gateway is in the pod’s VLAN, and in no other', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const all = pods(node, join(b.dir, 'ipam'));
  const more = { vlan: 100, isDefaultGateway: true };
  const inside = await all.add(t, more);
  const outside = await all.add(t, { vlan: 200 });
  assert.ok(pings(inside.netns, '10.9.0.1'));
  assert.ok(!pings(outside.netns, '10.9.0.1'));
  const check = async () =>
    (await all.call('CHECK', inside.id, inside.netns, { ...more, prevResult: inside.prevResult })).json;
  assert.equal(await check(), undefined);
  node.sh('ip link del br7.100');
  assert.match(String((await check())?.msg), /br7\.100, the gateway of VLAN 100, is missing/);
});

test('bridge vlan: CHECK names a VLAN that is gone, and the default one where it must not be', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const all = pods(node, join(b.dir, 'ipam'));
  const more = { vlan: 100, preserveDefaultVlan: false };
  const pod = await all.add(t, more);
  const port = /(veth[0-9a-f]{8}).*\s100 PVID Egress Untagged/.exec(node.sh('bridge vlan show'))?.[1];
  assert.ok(port, node.sh('bridge vlan show'));
  const said = async (keys: object) => {
    const { json } = await all.call('CHECK', pod.id, pod.netns, { ...keys, prevResult: pod.prevResult });
    return json === undefined ? '' : String(json.msg);
  };
  assert.equal(await said(more), '');
  node.sh(`bridge vlan add dev ${port} vid 1`);
  assert.match(await said(more), new RegExp(`${port} carries the default VLAN 1`));
  assert.equal(await said({ vlan: 100 }), '');
  node.sh(`bridge vlan del dev ${port} vid 1 && bridge vlan add dev ${port} vid 100`);
  assert.match(await said(more), new RegExp(`${port} does not carry VLAN 100 untagged`));
  assert.match(await said({ vlanTrunk: [{ minID: 100, maxID: 102 }] }), new RegExp(`${port} does not carry VLAN 101`));
});
