/** ipvlan, vlan and dummy on a kernel that has them: as the reference makes them, and what passes. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { bothLives, lifeOn, type Node, noReference, ourNode, referenceNode } from '#cni/testing/differential.ts';
import { BELOW, noFeature } from '#kernel/testing/feature.ts';

const noIpvlan = noFeature(BELOW, {
  op: 'link.add',
  link: { name: 'x', info: { kind: 'ipvlan', mode: 'l2', flag: 'bridge' }, parent: 'below' },
});
const noVlan = noFeature(BELOW, {
  op: 'link.add',
  link: { name: 'x', info: { kind: 'vlan', id: 5, protocol: '802.1q' }, parent: 'below' },
});
const noDummy = noFeature({ op: 'link.add', link: { name: 'x', info: { kind: 'dummy' } } });

/** A port that the node has towards the rest of the world. */
const UPLINK = `ip link add up0 type veth peer name up1 && ip link set up1 up && ip link set up0 up
  ip addr add 192.0.2.1/24 dev up0 && ip route add default via 192.0.2.2`;
const V4 = { subnet: '10.9.0.0/24', routes: [{ dst: '0.0.0.0/0' }] };
const BOTH = {
  ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};

interface Case {
  readonly conf: { readonly type: string; readonly [key: string]: unknown };
  readonly ipam?: object;
}

const CASES: Readonly<Record<string, Case>> = {
  'ipvlan l2, a smaller MTU, both families': { conf: { type: 'ipvlan', master: 'up0', mtu: 1400 }, ipam: BOTH },
  'ipvlan l3': { conf: { type: 'ipvlan', master: 'up0', mode: 'l3' } },
  'ipvlan l3s': { conf: { type: 'ipvlan', master: 'up0', mode: 'l3s' } },
  'vlan 100': { conf: { type: 'vlan', master: 'up0', vlanId: 100 } },
  'vlan 4094, a smaller MTU, both families': {
    conf: { type: 'vlan', master: 'up0', vlanId: 4094, mtu: 1400 },
    ipam: BOTH,
  },
};

for (const [name, { conf, ipam = V4 }] of Object.entries(CASES)) {
  const skip = noReference(conf.type, 'host-local') || (conf.type === 'vlan' ? noVlan : noIpvlan);
  test(`as the reference: ${name}`, { skip }, async (t) => {
    const b = await bed(t, ROUTED);
    const { ours, theirs } = await bothLives(b, (dataDir) => ({
      prepare: UPLINK,
      conf: { ...conf, ipam: { type: 'host-local', dataDir, ...ipam } },
    }));
    assert.deepEqual(ours, theirs);
  });
}

test('ipvlan by the default route: as the reference, whose own CHECK then looks for a master without a name', {
  skip: noReference('ipvlan', 'host-local') || noIpvlan,
}, async (t) => {
  const b = await bed(t, ROUTED);
  const theirCheck = 'failed to lookup master ""';
  const conf = (dataDir: string) => ({ type: 'ipvlan', ipam: { type: 'host-local', dataDir, ...V4 } });
  const { ours, theirs } = await bothLives(b, (dataDir) => ({ prepare: UPLINK, conf: conf(dataDir), theirCheck }));
  assert.deepEqual(ours, theirs);
  using other = referenceNode();
  other.sh(UPLINK);
  const common = { cniVersion: '1.0.0', name: 'net', ...conf(join(b.dir, 'checked')) };
  const { json } = await other.cni('ADD', common);
  const checked = await other.cni('CHECK', { ...common, prevResult: json });
  assert.ok(String(checked.json?.msg).includes(theirCheck), checked.stdout);
});

test('dummy: a life of it, as the kernel has it', { skip: noReference('host-local') || noDummy }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const ipam = { type: 'host-local', dataDir: join(b.dir, 'ipam'), subnet: '10.9.0.0/24' };
  const { state, after } = await lifeOn(node, { conf: { type: 'dummy', mtu: 1400, ipam } }, true);
  assert.deepEqual(
    state.pod.addresses.map((address) => Reflect.get(address, 'local')),
    ['10.9.0.2'],
  );
  assert.match(JSON.stringify(state.pod.links), /"ifname":"eth0","mtu":1400.*"kind":"dummy"/);
  assert.doesNotMatch(JSON.stringify(after.pod.links), /eth0/);
});

async function attached(node: Node, conf: object): Promise<void> {
  const { exit, stdout } = await node.cni('ADD', { cniVersion: '1.1.0', name: 'net', ...conf });
  assert.equal(exit, 0, stdout);
}

test('vlan: two nodes reach one another in a VLAN, tagged between them, and not across VLANs', {
  skip: noReference('host-local') || noVlan,
}, async (t) => {
  const b = await bed(t, ROUTED);
  using one = ourNode(b);
  using other = ourNode(b);
  one.sh(`ip link add up0 type veth peer name up0 netns /proc/${process.pid}/fd/${other.host.fd}`);
  const on = (address: string, vlanId: number) => {
    const ipam = { type: 'static', addresses: [{ address }] };
    return { type: 'vlan', master: 'up0', vlanId, ipam };
  };
  for (const node of [one, other]) node.sh('ip link set up0 up');
  await attached(one, on('10.9.0.1/24', 7));
  await attached(other, on('10.9.0.2/24', 7));
  one.sh('ping -c 1 -W 5 10.9.0.2', 'pod');
  // The plain interface below sees the same packets with their tags on: no address of theirs answers there.
  one.sh('ip addr add 10.9.0.9/24 dev up0 && ! ping -c 1 -W 1 10.9.0.2');
  assert.equal((await other.cni('DEL', { cniVersion: '1.1.0', name: 'net', ...on('10.9.0.2/24', 7) })).exit, 0);
  await attached(other, on('10.9.0.2/24', 8));
  one.sh('! ping -c 1 -W 1 10.9.0.2', 'pod');
});
