import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { daemonSetController } from '#serve/controller/daemonset/daemonset.ts';
import { templateHash } from '#serve/controller/daemonset/hash.ts';
import { targetNode } from '#serve/controller/daemonset/pod.ts';
import { maxUnavailable } from '#serve/controller/daemonset/rollout.ts';
import { daemonSet, node, pod, running, TestWorld, wordOf } from '#serve/controller/testing.ts';
import { controllerOf, DAEMON_SETS, type DaemonSet, PODS, type Pod } from '#spec/k8s.ts';
import { CONTROLLER_REVISIONS } from '#spec/workloads.ts';

const KEY = 'default/net';
const nodes = (count: number) => Array.from({ length: count }, (_, i) => node(`node${i + 1}`));
const podsOf = (world: TestWorld) => [...world.of(PODS).values()];
const targets = (world: TestWorld) =>
  podsOf(world)
    .map((p) => targetNode(p) ?? '-')
    .sort();
const images = (world: TestWorld) =>
  podsOf(world)
    .map((p) => p.spec.containers[0]?.image)
    .sort();

function setOf(world: TestWorld): DaemonSet {
  const set = world.of(DAEMON_SETS).get(KEY);
  assert.ok(set);
  return set;
}

/** A DaemonSet whose pods all run. */
function rolledOut(count: number, spec: Partial<DaemonSet['spec']> = {}): TestWorld {
  const world = new TestWorld([...nodes(count), daemonSet('net', spec)]);
  world.settle(daemonSetController);
  for (const each of podsOf(world)) running(world, each);
  world.settle(daemonSetController);
  return world;
}

function newImage(world: TestWorld, image: string): void {
  world.edit(setOf(world), (set) => ({
    ...set,
    metadata: { ...set.metadata, generation: (set.metadata.generation ?? 1) + 1 },
    spec: { ...set.spec, template: { ...set.spec.template, spec: { containers: [{ name: 'main', image }] } } },
  }));
}

test('one pod on each node, bound by the node’s name, owned and labelled', () => {
  const world = rolledOut(3);
  assert.deepEqual(targets(world), ['node1', 'node2', 'node3']);
  const [first] = podsOf(world);
  assert.ok(first);
  assert.equal(controllerOf(first)?.uid, setOf(world).metadata.uid);
  assert.equal(first.metadata.labels?.['controller-revision-hash'], templateHash(setOf(world).spec.template));
  assert.ok(first.spec.tolerations?.some((t) => t.key === 'node.kubernetes.io/unschedulable'));
});

test('status counts as kubectl prints it', () => {
  const world = rolledOut(3);
  const broken = podsOf(world)[0];
  assert.ok(broken);
  world.edit(broken, (p) => ({ ...p, status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] } }));
  world.settle(daemonSetController);
  assert.deepEqual(setOf(world).status, {
    currentNumberScheduled: 3,
    numberMisscheduled: 0,
    desiredNumberScheduled: 3,
    numberReady: 2,
    observedGeneration: 1,
    updatedNumberScheduled: 3,
    numberAvailable: 2,
    numberUnavailable: 1,
  });
});

test('nodeSelector, taints and cordons decide which nodes have a pod', () => {
  const template = {
    metadata: { labels: { app: 'net' } },
    spec: { containers: [{ name: 'm' }], nodeSelector: { disk: 'ssd' } },
  };
  const disk = { labels: { disk: 'ssd' } };
  const world = new TestWorld([
    node('node1'),
    node('node2', disk),
    node('node3', { ...disk, unschedulable: true }),
    node('node4', { ...disk, taints: [{ key: 'gpu', effect: 'NoSchedule' }] }),
    daemonSet('net', { template }),
  ]);
  world.settle(daemonSetController);
  assert.deepEqual(targets(world), ['node2', 'node3']);
});

test('a pod leaves a node that it may no longer be on, and stays where it merely could not start anew', () => {
  const world = rolledOut(3);
  world.put(node('node1', { taints: [{ key: 'x', effect: 'NoExecute' }] }));
  world.put(node('node2', { taints: [{ key: 'x', effect: 'NoSchedule' }] }));
  world.settle(daemonSetController);
  assert.deepEqual(targets(world), ['node2', 'node3']);
  assert.equal(setOf(world).status?.numberMisscheduled, 1);
});

test('a new template rolls out one node at a time, each waiting for the one before', () => {
  const world = rolledOut(3);
  newImage(world, 'nginx');
  const seen: string[] = [];
  for (let round = 0; round < 3; round++) {
    world.settle(daemonSetController);
    seen.push(images(world).join());
    for (const each of podsOf(world)) if (each.status === undefined) running(world, each);
  }
  world.settle(daemonSetController);
  assert.deepEqual(seen, ['busybox,busybox,nginx', 'busybox,nginx,nginx', 'nginx,nginx,nginx']);
  assert.equal(setOf(world).status?.updatedNumberScheduled, 3);
  assert.equal(setOf(world).status?.numberAvailable, 3);
});

test('templates are kept as revisions in order, and an undo makes the old one the newest', () => {
  const world = rolledOut(1);
  const first = setOf(world).spec.template;
  const history = () =>
    [...world.of(CONTROLLER_REVISIONS).values()]
      .sort((a, b) => a.revision - b.revision)
      .map(({ revision, data }) => `${revision} ${data?.spec?.template?.spec.containers[0]?.image}`);
  newImage(world, 'nginx');
  world.settle(daemonSetController);
  assert.deepEqual(history(), ['1 busybox', '2 nginx']);
  world.edit(setOf(world), (set) => ({ ...set, spec: { ...set.spec, template: first } }));
  world.settle(daemonSetController);
  assert.deepEqual(history(), ['2 nginx', '3 busybox']);
  for (const image of ['a', 'b', 'c']) {
    world.edit(setOf(world), (set) => ({ ...set, spec: { ...set.spec, revisionHistoryLimit: 1 } }));
    newImage(world, image);
    for (let round = 0; round < 3; round++) {
      world.settle(daemonSetController);
      for (const each of podsOf(world)) running(world, each);
    }
  }
  world.settle(daemonSetController);
  assert.deepEqual(history(), ['5 b', '6 c']);
});

test('a rollout that does not become ready stops after maxUnavailable', () => {
  const world = rolledOut(4, { updateStrategy: { rollingUpdate: { maxUnavailable: '50%' } } });
  newImage(world, 'broken');
  world.settle(daemonSetController);
  assert.deepEqual(images(world), ['broken', 'broken', 'busybox', 'busybox']);
});

test('a rollout replaces what is not ready first', () => {
  const world = rolledOut(3);
  const sick = podsOf(world)[2];
  assert.ok(sick);
  world.edit(sick, (p) => ({ ...p, status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] } }));
  newImage(world, 'nginx');
  world.settle(daemonSetController);
  assert.deepEqual(images(world), ['busybox', 'busybox', 'nginx']);
  assert.equal(targetNode(podsOf(world).find((p) => p.spec.containers[0]?.image === 'nginx') as Pod), 'node3');
});

test('OnDelete waits for people', () => {
  const world = rolledOut(2, { updateStrategy: { type: 'OnDelete' } });
  newImage(world, 'nginx');
  world.settle(daemonSetController);
  assert.deepEqual(images(world), ['busybox', 'busybox']);
  const [first] = podsOf(world);
  assert.ok(first);
  world.remove(first);
  world.settle(daemonSetController);
  assert.deepEqual(images(world), ['busybox', 'nginx']);
});

test('minReadySeconds delays availability and asks to be looked at again', () => {
  const world = new TestWorld([...nodes(1), daemonSet('net', { minReadySeconds: 10 })]);
  world.settle(daemonSetController);
  for (const each of podsOf(world)) running(world, each);
  world.settle(daemonSetController);
  assert.equal(setOf(world).status?.numberAvailable, 0);
  assert.equal(daemonSetController.decide(world, KEY).againMs, 10_000);
  world.now += 10_000;
  world.settle(daemonSetController);
  assert.equal(setOf(world).status?.numberAvailable, 1);
});

test('a successor waits until the pod before it has ended', () => {
  const world = rolledOut(1);
  const [only] = podsOf(world);
  assert.ok(only);
  world.edit(only, (p) => ({ ...p, metadata: { ...p.metadata, deletionTimestamp: '2026-01-01T00:00:30Z' } }));
  assert.deepEqual(
    world
      .settle(daemonSetController)
      .map(wordOf)
      .filter((w) => w.startsWith('create')),
    [],
  );
  world.remove(only);
  assert.deepEqual(
    world
      .settle(daemonSetController)
      .map(wordOf)
      .filter((w) => w.startsWith('create')),
    ['create Pod/net-'],
  );
});

test('pods that failed are made anew, not at once', () => {
  const world = rolledOut(1);
  const [only] = podsOf(world);
  assert.ok(only);
  world.edit(only, (p) => ({ ...p, status: { phase: 'Failed' } }));
  world.settle(daemonSetController);
  assert.equal(podsOf(world)[0]?.status?.phase, 'Failed');
  world.now += 5_000;
  world.settle(daemonSetController);
  assert.equal(podsOf(world)[0]?.status, undefined);
});

test('pods that fit the selector are adopted, those that no longer fit are let go', () => {
  const world = new TestWorld([
    node('node1'),
    daemonSet('net'),
    pod('stray', { metadata: { labels: { app: 'net' } }, spec: { nodeName: 'node1' } }),
  ]);
  world.settle(daemonSetController);
  // Adopted; and since it is not of this template, replaced.
  const [mine] = podsOf(world);
  assert.ok(mine && podsOf(world).length === 1);
  assert.equal(controllerOf(mine)?.name, 'net');
  world.edit(mine, (p) => ({ ...p, metadata: { ...p.metadata, labels: { app: 'other' } } }));
  world.settle(daemonSetController);
  assert.deepEqual(
    podsOf(world)
      .map((p) => controllerOf(p)?.name)
      .sort(),
    ['net', undefined],
  );
});

test('a set that is being deleted makes no pods', () => {
  const set = daemonSet('net');
  const world = new TestWorld([
    node('node1'),
    { ...set, metadata: { ...set.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
  ]);
  assert.deepEqual(world.settle(daemonSetController), []);
});

test('templateHash does not depend on the order of keys, only on content', () => {
  const a = { metadata: { labels: { x: '1', y: '2' } }, spec: { containers: [{ name: 'a', image: 'b' }] } };
  const b = { spec: { containers: [{ image: 'b', name: 'a' }] }, metadata: { labels: { y: '2', x: '1' } } };
  assert.equal(templateHash(a), templateHash(b));
  assert.notEqual(templateHash(a), templateHash({ ...a, spec: { containers: [{ name: 'a', image: 'c' }] } }));
  assert.match(templateHash(a), /^[b-z0-9]{10}$/);
});

test('maxUnavailable is a number, a percentage rounded up, or 1', () => {
  const of = (value: number | string) =>
    maxUnavailable(daemonSet('x', { updateStrategy: { rollingUpdate: { maxUnavailable: value } } }), 7);
  assert.deepEqual([of(3), of('30%'), of('100%'), maxUnavailable(daemonSet('x'), 7)], [3, 3, 7, 1]);
});

test('from any state: one living pod on each eligible node and none elsewhere', () => {
  const states = fc.record({
    nodes: fc.array(fc.constantFrom('True' as const, 'Unknown' as const), { maxLength: 4 }),
    pods: fc.array(fc.record({ on: fc.nat(5), old: fc.boolean(), ready: fc.boolean(), failed: fc.boolean() }), {
      maxLength: 8,
    }),
  });
  fc.assert(
    fc.property(states, (state) => {
      const world = new TestWorld([...state.nodes.map((ready, i) => node(`node${i}`, { ready })), daemonSet('net')]);
      const set = setOf(world);
      const owner = {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        name: 'net',
        uid: set.metadata.uid ?? '',
        controller: true,
      };
      for (const [i, p] of state.pods.entries()) {
        const labels = {
          app: 'net',
          ...(p.old ? {} : { 'controller-revision-hash': templateHash(set.spec.template) }),
        };
        const conditions = [{ type: 'Ready', status: p.ready ? ('True' as const) : ('False' as const) }];
        const status = { phase: p.failed ? ('Failed' as const) : ('Running' as const), conditions };
        world.put(
          pod(`old${i}`, { metadata: { labels, ownerReferences: [owner] }, spec: { nodeName: `node${p.on}` }, status }),
        );
      }
      world.now += 60_000;
      for (let round = 0; round < 10; round++) {
        world.settle(daemonSetController);
        for (const each of podsOf(world)) if (each.status?.phase !== 'Running') running(world, each);
      }
      const expected = state.nodes.flatMap((ready, i) => (ready === 'True' ? [`node${i}`] : []));
      // A node that is not reachable keeps the pod that it has, and gets none.
      const kept = targets(world).filter((name) => !expected.includes(name));
      for (const name of kept) assert.equal(state.nodes[Number(name.slice(4))], 'Unknown');
      assert.deepEqual(
        targets(world).filter((name) => expected.includes(name)),
        expected,
      );
      assert.equal(new Set(kept).size, kept.length);
    }),
    { numRuns: 100 },
  );
});
