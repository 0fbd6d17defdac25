import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { calcNodeState } from '#calc/routes/node-state.ts';
import { CLUSTERS, UNDERLAY } from '#calc/testing/clusters.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { diff, diffAdditions } from '#plan/diff.ts';
import { type Have, OWN_ALIAS, type Wanted } from '#plan/objects.ts';
import { applyAll, freshNode, link } from '#plan/testing/model.ts';
import { want } from '#plan/want.ts';
import { deriveSynced, type Snapshot, type Synced } from '#spec/cluster.ts';
import type { Route } from '#wire/netlink/values.ts';

type Name = keyof typeof CLUSTERS;
const NAMES = Object.keys(CLUSTERS) as Name[];

function wanted(name: Name): Synced<Wanted> {
  return deriveSynced(CLUSTERS[name] as Synced<Snapshot>, (snapshot) => {
    const outcome = calcNodeState(snapshot, UNDERLAY);
    if (outcome.kind !== 'ready') assert.fail(outcome.problem.sentence);
    return want(outcome.state);
  });
}

function reach(name: Name, from: Have): Have {
  return applyAll(from, diff(wanted(name), from).ops);
}

/** As sets: the order in which things came about is of no matter. */
function summary(have: Have): unknown {
  const sorted = (items: readonly unknown[]): string[] => items.map((item) => JSON.stringify(item)).sort();
  return {
    ...have,
    links: sorted(have.links),
    ownLinks: [...have.ownLinks].sort(),
    addresses: sorted(have.addresses),
    neighbours: sorted(have.neighbours),
    fdb: sorted(have.fdb),
    routes: sorted(have.routes),
    rules: sorted(have.rules),
    wireguard: sorted(have.wireguard.map((device) => ({ ...device, peers: sorted(device.peers) }))),
    sysctls: [],
    nft: have.nft && { ...have.nft, chains: sorted(have.nft.chains) },
  };
}

test('diff leads from any state to any other, and a second one is empty', () => {
  for (const from of NAMES) {
    for (const to of NAMES) {
      const there = reach(to, reach(from, freshNode()));
      assert.deepEqual(diff(wanted(to), there).ops, [], `${from} -> ${to}`);
      assert.deepEqual(
        summary(there),
        summary(reach(to, freshNode())),
        `${from} -> ${to} leaves the same as a fresh start`,
      );
    }
  }
});

test('diff asks the kernel for nothing that it refuses, whatever the path', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 6 }), (path) => {
      const there = path.reduce((have, name) => reach(name, have), freshNode());
      assert.deepEqual(diff(wanted(path.at(-1) ?? 'vxlan'), there).ops, []);
    }),
  );
});

test('diff of a fresh node orders devices, addresses, entries, routes', () => {
  const kinds = diff(wanted('vxlan'), freshNode()).ops.map(({ op }) => op);
  const order = ['link.add', 'addr.add', 'sysctl.set', 'nft', 'neigh.replace', 'fdb.replace', 'route.add'];
  assert.deepEqual([...new Set(kinds)], order);
});

test('diff mends what somebody took away', () => {
  const there = reach('vxlan', freshNode());
  const robbed = { ...there, routes: there.routes.slice(1), fdb: [], neighbours: [] };
  assert.deepEqual(summary(reach('vxlan', robbed)), summary(there));
});

test('diff makes a device anew when an attribute differs that cannot be changed', () => {
  const there = reach('vxlan', freshNode());
  const ops = diff(wanted('vxlan, another port'), there).ops.map(({ op }) => op);
  assert.deepEqual(ops.slice(0, 2), ['link.del', 'link.add']);
});

test('diff replaces routes that lead elsewhere instead of leaving a gap', () => {
  const there = reach('flannel-vxlan', freshNode());
  const ops = diff(wanted('flannel-host-gw'), there).ops.map(({ op }) => op);
  assert.deepEqual(ops, ['link.set', 'nft', 'route.replace', 'route.replace', 'link.del']);
});

test('diff touches no device of its name that somebody else made, and says so', () => {
  const have = {
    ...freshNode(),
    links: [
      ...freshNode().links,
      link('vxlan.polder', { info: { kind: 'vxlan', vni: 7, port: 4789, learning: true } }),
    ],
  };
  const { ops, obstacles } = diff(wanted('vxlan'), have);
  assert.ok(ops.every(({ op }) => op === 'sysctl.set' || op === 'nft' || op === 'route.add'));
  assert.ok(!JSON.stringify(ops).includes('vxlan.polder'));
  assert.equal(obstacles[0]?.object, 'link vxlan.polder');
});

test('diff leaves a foreign route in its place, and says so', () => {
  const foreign: Route = {
    to: parsePrefix('10.244.2.0/24'),
    type: 'unicast',
    table: 254,
    protocol: 4,
    scope: 'global',
    hops: [{ via: parseAddr('192.168.1.9'), link: 'eth0' }],
  };
  const { ops, obstacles } = diff(wanted('flannel-host-gw'), { ...freshNode(), foreignRoutes: [foreign] });
  assert.ok(!JSON.stringify(ops).includes('10.244.2.0/24'));
  assert.match(obstacles[0]?.sentence ?? '', /Somebody else has a route to 10\.244\.2\.0\/24/);
});

test('diff waits with the route of a pod whose interface is not there', () => {
  const have = { ...freshNode(), links: freshNode().links.filter(({ name }) => name !== 'cali5') };
  const { ops, obstacles } = diff(wanted('vxlan'), have);
  assert.ok(!JSON.stringify(ops).includes('cali5'));
  assert.deepEqual(
    obstacles.map(({ kind, object }) => [kind, object]),
    [['absent', 'route 10.244.1.5/32']],
  );
});

test('diffAdditions never changes and never deletes', () => {
  const safe = new Set([
    'link.add',
    'link.set',
    'nft',
    'addr.add',
    'sysctl.set',
    'neigh.replace',
    'fdb.replace',
    'route.add',
    'rule.add',
    'wg.set',
    'wg.peer',
  ]);
  for (const from of NAMES) {
    const there = reach(from, freshNode());
    for (const to of NAMES) {
      const { ops } = diffAdditions(wanted(to), there);
      const made = ops.flatMap((op) => (op.op === 'link.add' ? [op.link.name] : []));
      assert.ok(
        ops.every((op) => op.op !== 'link.set' || made.includes(op.name) || op.change.alias === OWN_ALIAS),
        'sets only what it makes, or makes its own',
      );
      assert.deepEqual(
        ops.filter(({ op }) => !safe.has(op)),
        [],
        `${from} -> ${to}`,
      );
      const after = applyAll(there, ops);
      for (const route of there.routes) assert.ok(after.routes.includes(route), `${from} -> ${to} keeps ${route.to}`);
      for (const entry of there.fdb) assert.ok(after.fdb.includes(entry), `${from} -> ${to} keeps ${entry.mac}`);
    }
  }
});

test('diff takes nothing that does not follow from a complete snapshot', () => {
  const stale: Wanted = wanted('vxlan');
  // @ts-expect-error A plain Wanted may not delete: only `Synced<Wanted>` does.
  assert.ok(diff(stale, freshNode()).ops.length > 0);
});

test('diff writes a chain anew whose rules differ, and takes out what it does not know', () => {
  const there = reach('vxlan', freshNode());
  const [chain, ...others] = there.nft?.chains ?? [];
  assert.ok(there.nft && chain);
  const spoiled = {
    ...there.nft,
    chains: [{ ...chain, rules: [] }, ...others, { ...chain, name: 'stray' }],
  };
  const { ops } = diff(wanted('vxlan'), { ...there, nft: spoiled });
  assert.deepEqual(
    ops.flatMap((op) => (op.op === 'nft' ? op.ops.map((each) => each.op) : [op.op])),
    ['chain.flush', 'rule.add', 'chain.flush', 'chain.delete'],
  );
});

test('diff makes a chain anew that hangs elsewhere', () => {
  const there = reach('vxlan', freshNode());
  const [chain, ...others] = there.nft?.chains ?? [];
  assert.ok(there.nft && chain?.base);
  const moved = { ...there.nft, chains: [{ ...chain, base: { ...chain.base, prio: 7 } }, ...others] };
  const after = applyAll({ ...there, nft: moved }, diff(wanted('vxlan'), { ...there, nft: moved }).ops);
  assert.deepEqual(summary(after), summary(there));
});
