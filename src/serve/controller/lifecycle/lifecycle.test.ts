import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { evictedAt } from '#serve/controller/lifecycle/eviction.ts';
import { nodeLifecycle } from '#serve/controller/lifecycle/lifecycle.ts';
import { Heartbeats } from '#serve/controller/loop/heartbeats.ts';
import { node, pod, running, T0, TestWorld } from '#serve/controller/testing.ts';
import { conditionOf, LEASES, NODES, type Node, PODS, type Pod, type Toleration } from '#spec/k8s.ts';

const lifecycle = nodeLifecycle({ graceMs: 40_000 });

function setUp(tolerations: readonly Toleration[] = []): TestWorld {
  const world = new TestWorld([node('node1'), pod('p', { spec: { nodeName: 'node1', tolerations } })]);
  world.heardAt.set('node1', T0);
  const [only] = world.of(PODS).values();
  if (only) running(world, only);
  world.settle(lifecycle);
  return world;
}

const theNode = (world: TestWorld): Node | undefined => world.of(NODES).get('node1');
const thePod = (world: TestWorld): Pod | undefined => world.of(PODS).get('default/p');
const taints = (world: TestWorld) =>
  (theNode(world)?.spec?.taints ?? []).map((t) => `${t.key.split('/')[1]} ${t.effect}`);

function pass(world: TestWorld, ms: number): void {
  world.now += ms;
  world.settle(lifecycle);
}

test('a node that is heard of is left alone, and looked at again when its time is up', () => {
  const world = setUp();
  pass(world, 39_000);
  assert.equal(conditionOf(theNode(world)?.status?.conditions, 'Ready')?.status, 'True');
  assert.equal(lifecycle.decide(world, 'node1').againMs, 1_000);
});

test('a silent node: Ready turns Unknown, taints follow, its pods are not ready, and leave after five minutes', () => {
  const world = setUp();
  pass(world, 40_000);
  const ready = conditionOf(theNode(world)?.status?.conditions, 'Ready');
  assert.deepEqual([ready?.status, ready?.reason], ['Unknown', 'NodeStatusUnknown']);
  assert.deepEqual(taints(world), ['unreachable NoSchedule', 'unreachable NoExecute']);
  assert.equal(conditionOf(thePod(world)?.status?.conditions, 'Ready')?.status, 'False');
  assert.deepEqual(
    world.notices.map((n) => `${n.about.kind} ${n.reason}`),
    ['Node NodeNotReady', 'Pod NodeNotReady'],
  );
  pass(world, 299_000);
  assert.ok(thePod(world));
  assert.equal(lifecycle.decide(world, 'node1').againMs, 1_000);
  pass(world, 1_000);
  assert.equal(thePod(world), undefined);
});

test('a node that comes back loses the taints, and keeps those that are not of its health', () => {
  const world = setUp();
  pass(world, 40_000);
  const lost = theNode(world);
  assert.ok(lost);
  world.edit(lost, (n) => ({
    ...n,
    spec: { ...n.spec, taints: [...(n.spec?.taints ?? []), { key: 'mine', effect: 'NoSchedule' }] },
    status: { ...n.status, conditions: [{ type: 'Ready', status: 'True' }] },
  }));
  world.heardAt.set('node1', world.now);
  world.settle(lifecycle);
  assert.deepEqual(theNode(world)?.spec?.taints, [{ key: 'mine', effect: 'NoSchedule' }]);
});

test('nothing is concluded while the API was away', () => {
  const world = setUp();
  world.heardAt.delete('node1');
  pass(world, 1_000_000);
  assert.equal(conditionOf(theNode(world)?.status?.conditions, 'Ready')?.status, 'True');
});

test('a daemon stays on a lost node, an impatient pod leaves sooner', () => {
  const forever = { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' } as const;
  const daemon = setUp([forever]);
  pass(daemon, 40_000);
  pass(daemon, 1_000_000);
  assert.ok(thePod(daemon));
  const hasty = setUp([{ ...forever, tolerationSeconds: 5 }]);
  pass(hasty, 40_000);
  pass(hasty, 5_000);
  assert.equal(thePod(hasty), undefined);
});

test('a NoExecute taint of a person drives out at once what does not tolerate it', () => {
  const taint = { key: 'maintenance', effect: 'NoExecute', timeAdded: new Date(T0).toISOString() } as const;
  const at = (tolerations: readonly Toleration[]) =>
    evictedAt(pod('p', { spec: { tolerations } }), [taint], T0 + 7_000);
  assert.equal(at([]), T0 + 7_000);
  assert.equal(at([{ key: 'maintenance', operator: 'Exists' }]), undefined);
  assert.equal(at([{ key: 'maintenance', operator: 'Exists', tolerationSeconds: 60 }]), T0 + 60_000);
});

test('conditions and cordons become taints', () => {
  const world = new TestWorld([node('node1', { unschedulable: true })]);
  world.edit(node('node1', { unschedulable: true }), (n) => ({
    ...n,
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'NetworkUnavailable', status: 'True' },
      ],
    },
  }));
  world.settle(lifecycle);
  assert.deepEqual(taints(world), ['network-unavailable NoSchedule', 'unschedulable NoSchedule']);
});

test('Heartbeats count what is new, by the clock of who sees it', () => {
  let now = 1_000;
  const heartbeats = new Heartbeats(() => now);
  const lease = (renewTime: string) => {
    const object = { metadata: { namespace: 'kube-node-lease', name: 'node1' }, spec: { renewTime } };
    heartbeats.hear(LEASES, { type: 'set', key: 'kube-node-lease/node1', object });
  };
  assert.equal(heartbeats.heard('node1'), undefined);
  lease('1999-01-01T00:00:00.000000Z');
  now = 2_000;
  lease('1999-01-01T00:00:00.000000Z');
  assert.equal(heartbeats.heard('node1'), 1_000);
  lease('1999-01-01T00:00:10.000000Z');
  assert.equal(heartbeats.heard('node1'), 2_000);
  heartbeats.hear(NODES, { type: 'delete', key: 'node1', object: node('node1') });
  assert.equal(heartbeats.heard('node1'), undefined);
});

test('from any state to any state: taints are those of the health, people’s own stay, and it comes to rest', () => {
  const step = fc.oneof(
    fc.record({ silent: fc.nat(60) }),
    fc.record({ says: fc.constantFrom('True' as const, 'False' as const) }),
    fc.record({ cordon: fc.boolean() }),
    fc.record({ own: fc.boolean() }),
  );
  const own = { key: 'mine', effect: 'NoSchedule' as const };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const world = setUp();
      const change = (edit: (n: Node) => Node) => {
        const current = theNode(world);
        if (current) world.edit(current, edit);
      };
      let wantsOwn = false;
      for (const one of steps) {
        if ('silent' in one) world.now += one.silent * 1000;
        else if ('says' in one) {
          world.heardAt.set('node1', world.now);
          change((n) => ({ ...n, status: { ...n.status, conditions: [{ type: 'Ready', status: one.says }] } }));
        } else if ('cordon' in one) change((n) => ({ ...n, spec: { ...n.spec, unschedulable: one.cordon } }));
        else {
          wantsOwn = one.own;
          const others = (n: Node) => (n.spec?.taints ?? []).filter((taint) => taint.key !== 'mine');
          change((n) => ({ ...n, spec: { ...n.spec, taints: one.own ? [...others(n), own] : others(n) } }));
        }
        world.settle(lifecycle);
      }
      const isLost = world.now - (world.heardAt.get('node1') ?? 0) >= 40_000;
      const status = conditionOf(theNode(world)?.status?.conditions, 'Ready')?.status;
      if (isLost) assert.equal(status, 'Unknown');
      const health = status === 'True' ? [] : [status === 'Unknown' ? 'unreachable' : 'not-ready'];
      const wanted = [
        ...health.flatMap((name) => [`${name} NoSchedule`, `${name} NoExecute`]),
        ...(theNode(world)?.spec?.unschedulable ? ['unschedulable NoSchedule'] : []),
        ...(wantsOwn ? ['undefined NoSchedule'] : []),
      ];
      assert.deepEqual(taints(world).sort(), wanted.sort());
      const ready = conditionOf(thePod(world)?.status?.conditions, 'Ready')?.status;
      if (status !== 'True' && thePod(world)) assert.equal(ready, 'False');
      assert.deepEqual(world.settle(lifecycle), []);
    }),
    { numRuns: 200 },
  );
});
