import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcNodeState } from '#calc/routes/node-state.ts';
import { CLUSTERS } from '#calc/testing/clusters.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { ROUTE } from '#plan/kinds.ts';
import { OWN_TABLE } from '#plan/objects.ts';
import { want } from '#plan/want.ts';
import { deriveSynced, type Snapshot, type Synced } from '#spec/cluster.ts';
import type { Kernel } from '#sync/kernel.ts';
import { type Goal, type PassReport, planNow, runPass } from '#sync/pass.ts';
import { FOREIGN, scratchNode } from '#sync/testing/scratch-node.ts';
import { readUnderlay } from '#sync/underlay.ts';
import { PROTO_STATIC, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

type Name = keyof typeof CLUSTERS;
const NAMES = Object.keys(CLUSTERS) as Name[];
const options = { skip: noKernel };

/** What every kernel has that runs these tests; the rest is tried on Debian's own (`tunnels.vm.test.ts`). */
const FEATURES = { ipip: false, wireguard: false };

function goal(kernel: Kernel, snapshot: Snapshot): Goal {
  const underlay = readUnderlay(kernel.netlink, { ifname: 'eth0' });
  assert.ok(underlay);
  const wanted = deriveSynced(snapshot as Synced<Snapshot>, (value) => {
    const outcome = calcNodeState(value, underlay, FEATURES);
    if (outcome.kind !== 'ready') assert.fail(outcome.problem.sentence);
    return want(outcome.state);
  });
  return { kind: 'complete', wanted };
}

/** Brings the node to a state; nothing may fail and nothing may be left. */
async function reach(kernel: Kernel, snapshot: Snapshot): Promise<PassReport> {
  const report = await runPass(kernel, () => goal(kernel, snapshot));
  assert.deepEqual([report.failures, report.left, report.obstacles], [[], [], []]);
  return report;
}

function foreignRoutes(kernel: Kernel): string[] {
  const places = new Set(FOREIGN.map(ROUTE.key));
  return kernel.netlink
    .routes({ protocol: PROTO_STATIC })
    .filter((r) => places.has(ROUTE.key(r)))
    .map(({ to }) => to);
}

test('runPass leads the kernel from state to state, and finds nothing to do the second time', options, async () => {
  using node = scratchNode();
  // Every state after every other profile's, each also after itself.
  const path = [
    ...NAMES,
    ...NAMES.toReversed(),
    ...NAMES.filter((_, i) => i % 2),
    ...NAMES.filter((_, i) => i % 3 === 0),
  ];
  for (const name of path) {
    await reach(node.kernel, CLUSTERS[name]);
    assert.deepEqual((await reach(node.kernel, CLUSTERS[name])).done, [], name);
  }
  assert.deepEqual(
    foreignRoutes(node.kernel),
    FOREIGN.map(({ to }) => to),
  );
});

test('runPass mends what somebody took away or changed', options, async () => {
  using node = scratchNode();
  const { netlink } = node.kernel;
  await reach(node.kernel, CLUSTERS.vxlan);
  const { wanted } = goal(node.kernel, CLUSTERS.vxlan);
  const [neighbour] = wanted.neighbours;
  const [entry] = wanted.fdb;
  assert.ok(neighbour && entry);
  netlink.run([
    ...wanted.routes.map((route) => ({ op: 'route.del', route }) as const),
    { op: 'neigh.del', neighbour },
    { op: 'fdb.replace', entry: { ...entry, dst: parseAddr('192.168.1.77') } },
    { op: 'link.set', name: 'vxlan.polder', change: { mtu: 1300, up: false } },
  ]);
  assert.ok((await reach(node.kernel, CLUSTERS.vxlan)).done.length > wanted.routes.length);
});

test('runPass writes its own nft table anew when it was changed, and leaves others alone', options, async () => {
  using node = scratchNode();
  const { nft } = node.kernel;
  const foreign = { family: 'inet', name: 'somebody' } as const;
  nft.apply(foreign, [{ op: 'table.add' }, { op: 'chain.add', chain: { name: 'theirs' } }]);
  await reach(node.kernel, CLUSTERS.vxlan);
  const own = nft.list(OWN_TABLE)?.chains;
  assert.equal(own?.[0]?.rules.length, 1);
  nft.apply(OWN_TABLE, [
    { op: 'chain.flush', name: 'postrouting' },
    { op: 'chain.add', chain: { name: 'stray' } },
  ]);
  await reach(node.kernel, CLUSTERS.vxlan);
  assert.deepEqual(
    nft.list(OWN_TABLE)?.chains.map(({ name, rules }) => [name, rules.length]),
    [
      ['postrouting', 1],
      ['raw-prerouting', 1],
      ['raw-output', 1],
    ],
  );
  await reach(node.kernel, CLUSTERS['vxlan, smaller MTU']);
  assert.deepEqual(
    nft.list(OWN_TABLE)?.chains.map(({ name }) => name),
    ['raw-prerouting', 'raw-output'],
    'nothing is masqueraded',
  );
  const hostGw = CLUSTERS['flannel-host-gw'];
  await reach(node.kernel, { ...hostGw, pools: hostGw.pools.map((pool) => ({ ...pool, natOutgoing: false })) });
  assert.equal(nft.list(OWN_TABLE), undefined, 'nothing is left to say, so there is no table');
  assert.deepEqual(
    nft.list(foreign)?.chains.map(({ name }) => name),
    ['theirs'],
  );
});

test('runPass follows the MTU of the underlay', options, async () => {
  using node = scratchNode();
  await reach(node.kernel, CLUSTERS.vxlan);
  for (const [mtu, expected] of [
    [9000, 8950],
    [1400, 1350],
  ] as const) {
    node.kernel.netlink.run(['eth0', 'p-eth0'].map((name) => ({ op: 'link.set', name, change: { mtu } })));
    await reach(node.kernel, CLUSTERS.vxlan);
    assert.equal(node.kernel.netlink.link('vxlan.polder')?.mtu, expected);
  }
});

test('runPass with a partial goal deletes and changes nothing', options, async () => {
  using node = scratchNode();
  await reach(node.kernel, CLUSTERS.vxlan);
  const before = node.kernel.netlink.routes({ protocol: 77 }).length;
  const { wanted } = goal(node.kernel, CLUSTERS['vxlan, alone']);
  const report = await runPass(node.kernel, () => ({ kind: 'partial', wanted }));
  // Pod 7 comes; pods 5 and 6 and the other nodes stay.
  assert.deepEqual(
    report.done.map(({ op }) => op),
    ['route.add'],
  );
  assert.equal(node.kernel.netlink.routes({ protocol: 77 }).length, before + 1);
});

test('runPass leaves a foreign device and a foreign route in place, and does the rest', options, async () => {
  using node = scratchNode();
  const { netlink } = node.kernel;
  const static2: Route = {
    to: parsePrefix('10.244.2.0/24'),
    type: 'unicast',
    table: TABLE_MAIN,
    protocol: PROTO_STATIC,
    scope: 'global',
    hops: [{ via: parseAddr('192.168.1.9'), link: 'eth0' }],
  };
  netlink.run([
    { op: 'link.add', link: { name: 'cni0', info: { kind: 'bridge' }, up: true } },
    { op: 'route.add', route: static2 },
  ]);
  const report = await runPass(node.kernel, () => goal(node.kernel, CLUSTERS['flannel-host-gw']));
  assert.deepEqual(
    report.obstacles.map(({ object }) => object),
    ['link cni0', 'route 10.244.2.0/24'],
  );
  assert.deepEqual(
    netlink.routes({ protocol: 77 }).map(({ to }) => to),
    ['10.244.3.0/24'],
  );
  assert.deepEqual(
    netlink.addresses().filter(({ link, scope }) => link === 'cni0' && scope === 'global'),
    [],
  );
});

test('runPass names the operation that the kernel refuses, and does the others', options, async () => {
  using node = scratchNode();
  const { wanted } = goal(node.kernel, CLUSTERS['flannel-host-gw']);
  const [first, ...rest] = wanted.routes;
  assert.ok(first);
  const bad = { ...first, hops: [{ via: parseAddr('203.0.113.9'), link: 'eth0' }] };
  const spoiled = deriveSynced(wanted as Synced<typeof wanted>, (w) => ({ ...w, routes: [bad, ...rest] }));
  const report = await runPass(node.kernel, () => ({ kind: 'complete', wanted: spoiled }));
  assert.deepEqual(
    report.failures.map(({ op }) => op),
    [{ op: 'route.add', route: bad }],
  );
  assert.match(report.failures[0]?.reason ?? '', /ENETUNREACH/);
  assert.deepEqual(planNow(node.kernel, { kind: 'complete', wanted: spoiled }).ops.length, 1);
});
