/** vrf beside the reference plugin, on a kernel that has VRFs. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { type Node, type NodeState, named, noReference, ourNode, referenceNode } from '#cni/testing/differential.ts';
import { noFeature } from '#kernel/testing/feature.ts';

const skip =
  noReference('vrf', 'bridge', 'host-local') ||
  noFeature({ op: 'link.add', link: { name: 'v', info: { kind: 'vrf', table: 10 } } });

const IPAM = {
  type: 'host-local',
  ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};

interface Life {
  readonly result: unknown;
  readonly before: NodeState;
  readonly state: NodeState;
  readonly after: NodeState;
}

/** A bridge, and vrf behind it. */
async function life(node: Node, dataDir: string, keys: object): Promise<Life> {
  const common = { cniVersion: '1.0.0', name: 'net' };
  const call = async (command: string, conf: object) => {
    const { exit, stdout, json } = await node.cni(command, { ...common, ...conf });
    assert.equal(exit, 0, `${command}: ${stdout}`);
    return json;
  };
  const bridge = { type: 'bridge', bridge: 'br7', isGateway: true, ipam: { ...IPAM, dataDir } };
  const prevResult = await call('ADD', bridge);
  const before = node.state();
  const vrf = { type: 'vrf', vrfname: 'blue', ...keys };
  const result = await call('ADD', { ...vrf, prevResult });
  const state = node.state();
  await call('CHECK', { ...vrf, prevResult: result });
  await call('DEL', { ...vrf, prevResult: result });
  return { result: named(result), before, state, after: node.state() };
}

/** Rows of the pod that the first has and the second has not, shortly. */
function more(one: NodeState, other: NodeState): string[] {
  const rows = ({ pod }: NodeState) => [
    ...pod.links.map(link),
    ...pod.addresses.map(address),
    ...pod.routes.map(route),
  ];
  const there = new Set(rows(other));
  return rows(one).filter((row) => !there.has(row));
}

const get = (row: object, key: string) => String(Reflect.get(row, key) ?? '');

function link(row: object): string {
  return `link ${JSON.stringify(row)}`;
}

function address(row: object): string {
  return `address ${get(row, 'local')}/${get(row, 'prefixlen')} on ${get(row, 'link')}`;
}

function route(row: object): string {
  const table = get(row, 'table') || 'main';
  const gateway = get(row, 'gateway');
  return `route ${get(row, 'type') || 'unicast'} ${get(row, 'dst')}${gateway && ` via ${gateway}`} in ${table}`;
}

/** By the reference: the kernel sets an interface down and up as it leaves the VRF. */
const LOST_AT_DEL = [
  'address fd00:9::2/64 on eth0',
  'route unicast default via 10.9.0.1 in main',
  'route unicast default via fd00:9::1 in main',
  'route unicast fd00:9::/64 in main',
  'route local fd00:9::2 in local',
];

for (const [name, keys, table] of [
  ['a table that is free', {}, '1'],
  ['a table that is said', { table: 42 }, '42'],
] as const) {
  test(`vrf as the reference, which loses routes by gateways at ADD and IPv6 at DEL: ${name}`, { skip }, async (t) => {
    const b = await bed(t, ROUTED);
    using one = ourNode(b);
    using other = referenceNode();
    const theirs = await life(other, join(b.dir, 'theirs'), keys);
    const ours = await life(one, join(b.dir, 'ours'), keys);
    assert.deepEqual(ours.result, theirs.result);
    assert.deepEqual(ours.before, theirs.before);
    assert.deepEqual(ours.state.host, theirs.state.host);
    assert.deepEqual(more(theirs.state, ours.state), []);
    assert.deepEqual(
      more(ours.state, theirs.state),
      ['10.9.0.1', 'fd00:9::1'].map((gateway) => `route unicast default via ${gateway} in ${table}`),
    );
    assert.deepEqual(more(theirs.after, ours.after), []);
    assert.deepEqual(more(ours.after, theirs.after), LOST_AT_DEL);
    assert.deepEqual(ours.after, ours.before);
  });
}
