import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { daemonSetController } from '#serve/controller/daemonset/daemonset.ts';
import { templateHash } from '#serve/controller/daemonset/hash.ts';
import { targetNode } from '#serve/controller/daemonset/pod.ts';
import { maxSurge } from '#serve/controller/daemonset/surge.ts';
import { daemonSet, node, pod, running, TestWorld } from '#serve/controller/testing.ts';
import { conditionOf, DAEMON_SETS, type DaemonSet, PODS, type Pod } from '#spec/k8s.ts';

const strategy = (surge: number | string) =>
  ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: surge } } }) as const;
const podsOf = (world: TestWorld) => [...world.of(PODS).values()];
const isReady = (one: Pod) => conditionOf(one.status?.conditions, 'Ready')?.status === 'True';
/** `node1:busybox+nginx`: what each node has, what is ready in capitals. */
const shown = (world: TestWorld) =>
  [...Map.groupBy(podsOf(world), targetNode)]
    .map(([name, all]) => {
      const images = all.map((one) => {
        const image = one.spec.containers[0]?.image ?? '';
        return isReady(one) ? image.toUpperCase() : image;
      });
      return `${name}:${images.sort().join('+')}`;
    })
    .sort()
    .join(' ');

function setOf(world: TestWorld): DaemonSet {
  const set = world.of(DAEMON_SETS).get('default/net');
  assert.ok(set);
  return set;
}

function rolledOut(count: number, surge: number | string): TestWorld {
  const nodes = Array.from({ length: count }, (_, i) => node(`n${i + 1}`));
  const world = new TestWorld([...nodes, daemonSet('net', strategy(surge), 'a')]);
  world.settle(daemonSetController);
  for (const each of podsOf(world)) running(world, each);
  world.settle(daemonSetController);
  world.now += 1_000;
  world.edit(setOf(world), (set) => ({
    ...set,
    metadata: { ...set.metadata, generation: 2 },
    spec: { ...set.spec, template: { ...set.spec.template, spec: { containers: [{ name: 'main', image: 'b' }] } } },
  }));
  return world;
}

function becomeReady(world: TestWorld): void {
  for (const each of podsOf(world)) if (!isReady(each)) running(world, each);
}

test('the new pod of a node comes before the old one goes, on maxSurge nodes at a time', () => {
  const world = rolledOut(3, 1);
  const seen: string[] = [];
  for (let round = 0; round < 4; round++) {
    world.settle(daemonSetController);
    seen.push(shown(world));
    becomeReady(world);
  }
  assert.deepEqual(seen, ['n1:A+b n2:A n3:A', 'n1:B n2:A+b n3:A', 'n1:B n2:B n3:A+b', 'n1:B n2:B n3:B']);
  assert.equal(setOf(world).status?.updatedNumberScheduled, 3);
});

test('a new pod that does not become ready leaves the old one, and no more nodes are touched', () => {
  const world = rolledOut(4, '50%');
  world.settle(daemonSetController);
  world.settle(daemonSetController);
  assert.equal(shown(world), 'n1:A+b n2:A+b n3:A n4:A');
  assert.equal(setOf(world).status?.numberAvailable, 4);
});

test('an old pod that does not serve is replaced at once, and does not count', () => {
  const world = rolledOut(3, 1);
  const sick = podsOf(world).find((one) => targetNode(one) === 'n3');
  assert.ok(sick);
  world.edit(sick, (p) => ({ ...p, status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] } }));
  world.settle(daemonSetController);
  assert.equal(shown(world), 'n1:A+b n2:A n3:b');
});

test('maxSurge is a number, a percentage rounded up, or none', () => {
  const of = (surge: number | string) => maxSurge(daemonSet('x', strategy(surge)), 7);
  assert.deepEqual([of(3), of('30%'), of(0), maxSurge(daemonSet('x'), 7)], [3, 3, 0, 0]);
  assert.equal(maxSurge(daemonSet('x', { updateStrategy: { type: 'OnDelete' } }), 7), 0);
});

test('from any state a surging rollout ends with one new pod a node, and no node that served stops to', () => {
  const found = fc.array(fc.record({ on: fc.nat(2), old: fc.boolean(), ready: fc.boolean() }), { maxLength: 8 });
  fc.assert(
    fc.property(found, fc.constantFrom(1, 2, '100%'), (pods, surge) => {
      const nodes = [0, 1, 2].map((i) => node(`n${i}`));
      const world = new TestWorld([...nodes, daemonSet('net', strategy(surge))]);
      const { uid = '' } = setOf(world).metadata;
      const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'net', uid, controller: true };
      for (const [i, one] of pods.entries()) {
        const hash = one.old ? 'old' : templateHash(setOf(world).spec.template);
        const labels = { app: 'net', 'controller-revision-hash': hash };
        const made = pod(`p${i}`, { metadata: { labels, ownerReferences: [owner] }, spec: { nodeName: `n${one.on}` } });
        const stored = world.put({ ...made, status: { phase: 'Running' } } as Pod);
        if (one.ready) running(world, stored as Pod);
      }
      const serving = () => new Set(podsOf(world).filter(isReady).map(targetNode));
      let before = serving();
      for (let round = 0; round < 12; round++) {
        for (const write of daemonSetController.decide(world, 'default/net').writes) world.apply(write);
        const now = serving();
        for (const name of before) assert.ok(now.has(name), `${name} stopped to serve`);
        before = now;
        if (round % 2 === 1) becomeReady(world);
      }
      world.settle(daemonSetController);
      assert.equal(shown(world), 'n0:BUSYBOX n1:BUSYBOX n2:BUSYBOX');
      const fresh = templateHash(setOf(world).spec.template);
      for (const one of podsOf(world)) assert.equal(one.metadata.labels?.['controller-revision-hash'], fresh);
    }),
    { numRuns: 200 },
  );
});
