import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scheduler } from '#serve/controller/scheduler/scheduler.ts';
import { node, type PodShape, pod, T0, TestWorld, wordOf } from '#serve/controller/testing.ts';
import { timestamp } from '#serve/controller/world.ts';
import type { PodDisruptionBudget } from '#spec/disruption.ts';
import { type KubeObject, PODS, type Pod } from '#spec/k8s.ts';

const cpu = (amount: string) => ({ containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: amount } } }] });

/** A pod that runs on the node since the given second. */
const placed = (name: string, nodeName: string, priority: number, amount = '1', second = 0, shape: PodShape = {}) =>
  pod(name, {
    ...shape,
    spec: { ...cpu(amount), nodeName, priority, ...shape.spec },
    status: { phase: 'Running', startTime: timestamp(T0 + second * 1000) },
  });

const wanting = (name: string, priority: number, amount = '1', spec: Partial<Pod['spec']> = {}) =>
  pod(name, { spec: { ...cpu(amount), priority, ...spec } });

const small = (...names: string[]) =>
  names.map((name) => node(name, { allocatable: { cpu: '2', memory: '4Gi', pods: '110' } }));

/** Who has to go, and where the pods end. */
function outcome(objects: readonly KubeObject[]): { gone: string[]; ends: Record<string, string | undefined> } {
  const world = new TestWorld(objects);
  const gone = world
    .settle(scheduler)
    .flatMap((write) => (write.verb === 'delete' ? [write.object.metadata.name] : []));
  const ends = [...world.of(PODS).values()].map((p) => [p.metadata.name, p.spec.nodeName] as const);
  return { gone: gone.map(String), ends: Object.fromEntries(ends) };
}

const budget = (allowed: number): PodDisruptionBudget => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { namespace: 'default', name: 'b' },
  spec: { selector: { matchLabels: { app: 'guarded' } } },
  status: { disruptionsAllowed: allowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
});
const GUARDED: PodShape = { metadata: { labels: { app: 'guarded' } } };

const CASES: readonly (readonly [string, readonly KubeObject[], readonly string[], string | undefined])[] = [
  [
    'the least important of one node',
    [...small('n'), placed('a', 'n', 5), placed('b', 'n', 1), wanting('p', 9)],
    ['b'],
    'n',
  ],
  [
    'nobody who matters as much',
    [...small('n'), placed('a', 'n', 9), placed('b', 'n', 9), wanting('p', 9)],
    [],
    undefined,
  ],
  [
    'nobody for one that is never to',
    [...small('n'), placed('a', 'n', 1, '2'), wanting('p', 9, '1', { preemptionPolicy: 'Never' })],
    [],
    undefined,
  ],
  [
    'nobody where that would not help',
    [...small('n'), placed('a', 'n', 1, '2'), wanting('p', 9, '1', { nodeSelector: { disk: 'ssd' } })],
    [],
    undefined,
  ],
  ['nobody if there is room elsewhere', [...small('n', 'm'), placed('a', 'n', 1, '2'), wanting('p', 9)], [], 'm'],
  [
    'on the node whose most important victim matters least',
    [...small('n', 'm'), placed('a', 'n', 5, '2'), placed('b', 'm', 1, '2'), wanting('p', 9)],
    ['b'],
    'm',
  ],
  [
    'on the node with fewer victims, of equal ones',
    [
      ...small('n', 'm'),
      ...[placed('a', 'n', 1), placed('b', 'n', 1)],
      ...[placed('c', 'm', 1, '2'), wanting('p', 9, '2')],
    ],
    ['c'],
    'm',
  ],
  [
    'who has run the shortest time, of equal ones',
    [...small('n', 'm'), placed('a', 'n', 1, '2', 10), placed('b', 'm', 1, '2', 20), wanting('p', 9)],
    ['b'],
    'm',
  ],
  [
    'the younger on one node',
    [...small('n'), placed('a', 'n', 1, '1', 10), placed('b', 'n', 1, '1', 20), wanting('p', 9)],
    ['b'],
    'n',
  ],
  [
    'who is in no budget that it would break',
    [...small('n'), placed('a', 'n', 1, '1', 20, GUARDED), placed('b', 'n', 1, '1', 10), budget(0), wanting('p', 9)],
    ['b'],
    'n',
  ],
  [
    'who is in a budget that has room',
    [...small('n'), placed('a', 'n', 1, '1', 20, GUARDED), placed('b', 'n', 1, '1', 10), budget(1), wanting('p', 9)],
    ['a'],
    'n',
  ],
  [
    'who is in a budget, if it must be',
    [...small('n'), placed('a', 'n', 1, '2', 0, GUARDED), budget(0), wanting('p', 9)],
    ['a'],
    'n',
  ],
  [
    'no mirror of what the node runs anyway',
    [
      ...small('n'),
      placed('a', 'n', 0, '2', 0, { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } }),
      wanting('p', 9),
    ],
    [],
    undefined,
  ],
];

for (const [what, objects, gone, end] of CASES)
  test(`preemption ends ${what}`, () => {
    const found = outcome(objects);
    assert.deepEqual(found.gone, gone);
    assert.equal(found.ends.p, end);
  });

test('while victims end the pod waits, its room is nobody’s who matters less, and nobody else is ended for it', () => {
  const world = new TestWorld([...small('n'), placed('a', 'n', 1, '2'), wanting('p', 9, '2'), wanting('q', 2)]);
  const pods = () => world.of(PODS);
  const decide = () => scheduler.decide(world, 'pending').writes;
  const writes = decide();
  assert.deepEqual(
    writes.map(wordOf).filter((word) => word.startsWith('delete')),
    ['delete Pod/a'],
  );
  for (const write of writes) if (write.verb === 'patch') world.apply(write);
  const victim = pods().get('default/a');
  assert.ok(victim);
  assert.equal(victim.status?.conditions?.[0]?.reason, 'PreemptionByScheduler');
  world.edit(victim, (p) => ({ ...p, metadata: { ...p.metadata, deletionTimestamp: timestamp(world.now) } }));
  assert.equal(pods().get('default/p')?.status?.nominatedNodeName, 'n');
  assert.deepEqual(decide(), []);
  world.remove(victim);
  const binds = decide().flatMap((write) =>
    write.verb === 'bind' ? [`${write.pod.metadata.name} ${write.node}`] : [],
  );
  assert.deepEqual(binds, ['p n']);
});

test('a nomination that leads nowhere any more is taken back', () => {
  const lost = { ...wanting('p', 9), status: { phase: 'Pending', nominatedNodeName: 'gone' } } satisfies Pod;
  const world = new TestWorld([node('n', { unschedulable: true }), lost]);
  world.settle(scheduler);
  assert.equal(world.of(PODS).get('default/p')?.status?.nominatedNodeName, undefined);
});

test('from any state the scheduler comes to rest, nobody is ended for one who matters no more, none in vain', () => {
  const shape = fc.record({
    priority: fc.nat(3),
    cpu: fc.constantFrom('1', '2'),
    on: fc.option(fc.constantFrom('n', 'm')),
  });
  fc.assert(
    fc.property(fc.array(shape, { maxLength: 9 }), (shapes) => {
      const pods = shapes.map(({ priority, cpu: amount, on }, i) =>
        on === null ? wanting(`p${i}`, priority, amount) : placed(`p${i}`, on, priority, amount, i),
      );
      const world = new TestWorld([...small('n', 'm'), ...pods]);
      const priorityOf = new Map(pods.map((p) => [p.metadata.name, p.spec.priority ?? 0]));
      const writes = world.settle(scheduler);
      const gone = writes.flatMap((write) => (write.verb === 'delete' ? [write.object.metadata.name] : []));
      const bound = writes.flatMap((write) => (write.verb === 'bind' ? [write.pod.metadata.name] : []));
      const highest = Math.max(-1, ...bound.map((name) => priorityOf.get(name) ?? 0));
      for (const name of gone) assert.ok((priorityOf.get(name) ?? 0) < highest, `${name} was ended for nobody`);
    }),
    { numRuns: 300 },
  );
});
