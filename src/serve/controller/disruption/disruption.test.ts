import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { disruptionController } from '#serve/controller/disruption/disruption.ts';
import { pod, running, TestWorld } from '#serve/controller/testing.ts';
import { timestamp } from '#serve/controller/world.ts';
import { DISRUPTION_BUDGETS, type DisruptionStatus, type PodDisruptionBudget } from '#spec/disruption.ts';
import { type KubeObject, PODS, type Pod } from '#spec/k8s.ts';

const KEY = 'default/web';

function budget(spec: PodDisruptionBudget['spec'], status?: DisruptionStatus): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { namespace: 'default', name: 'web', generation: 2 },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    ...(status && { status }),
  };
}

const owned = (kind: string, name: string, uid: string) => ({
  ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid, controller: true }],
});

/** A Deployment of `replicas`, its ReplicaSet, and pods of which the first `ready` are ready. */
function cluster(replicas: number, count: number, ready: number): KubeObject[] {
  const meta = (name: string) => ({ namespace: 'default', name, uid: name });
  const conditions = (index: number) => [{ type: 'Ready', status: index < ready ? 'True' : 'False' } as const];
  const pods = Array.from({ length: count }, (_, i) =>
    pod(`p${i}`, {
      metadata: { namespace: 'default', name: `p${i}`, labels: { app: 'web' }, ...owned('ReplicaSet', 'rs', 'rs') },
      status: { phase: 'Running', conditions: conditions(i) },
    }),
  );
  const set = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { ...meta('rs'), ...owned('Deployment', 'd', 'd') },
  };
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: meta('d'), spec: { replicas } } as KubeObject,
    { ...set, spec: { replicas } } as KubeObject,
    ...pods,
  ];
}

function statusOf(world: TestWorld): DisruptionStatus {
  world.settle(disruptionController);
  const status = world.of(DISRUPTION_BUDGETS).get(KEY)?.status;
  assert.ok(status);
  return status;
}

const numbers = ({ expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed }: DisruptionStatus) =>
  [expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed].join(' ');

test('a number that must stay, a number that may go, and shares of what is wanted', () => {
  const of = (spec: PodDisruptionBudget['spec']) =>
    numbers(statusOf(new TestWorld([...cluster(5, 4, 3), budget(spec)])));
  assert.equal(of({ minAvailable: 2 }), '4 2 3 1');
  assert.equal(of({ minAvailable: '50%' }), '5 3 3 0');
  assert.equal(of({ maxUnavailable: 3 }), '5 2 3 1');
  assert.equal(of({ maxUnavailable: '30%' }), '5 3 3 0');
  assert.equal(of({ maxUnavailable: '100%' }), '5 0 3 3');
});

test('the condition says why, and which state of the budget was counted', () => {
  const world = new TestWorld([...cluster(2, 2, 2), budget({ minAvailable: 1 })]);
  const { observedGeneration, conditions } = statusOf(world);
  assert.equal(observedGeneration, 2);
  assert.deepEqual([conditions?.[0]?.status, conditions?.[0]?.reason], ['True', 'SufficientPods']);
  const [first] = world.of(PODS).values();
  assert.ok(first);
  world.remove(first);
  assert.equal(statusOf(world).conditions?.[0]?.reason, 'InsufficientPods');
});

test('a share of pods that nothing keeps cannot be told: none may go', () => {
  const lonely = pod('x', { metadata: { namespace: 'default', name: 'x', labels: { app: 'web' } } });
  const world = new TestWorld([lonely, budget({ maxUnavailable: 1 })]);
  running(world, lonely);
  const { disruptionsAllowed, conditions } = statusOf(world);
  assert.equal(disruptionsAllowed, 0);
  assert.equal(conditions?.[0]?.reason, 'SyncFailed');
});

test('an empty selector means all pods of the namespace, none at all means none', () => {
  const world = (spec: PodDisruptionBudget['spec']) => {
    const { selector: _, ...rest } = budget(spec).spec ?? {};
    return new TestWorld([...cluster(2, 2, 2), { ...budget({}), spec: { ...rest, ...spec } } as KubeObject]);
  };
  assert.equal(numbers(statusOf(world({ minAvailable: 1, selector: {} }))), '2 1 2 1');
  assert.equal(numbers(statusOf(world({ minAvailable: 1 }))), '0 1 0 0');
});

test('a granted eviction counts as gone until the pod is, or until two minutes have passed', () => {
  const world = new TestWorld(cluster(3, 3, 3));
  const status = { disruptionsAllowed: 0, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3 };
  const disruptedPods = { p0: timestamp(world.now), gone: timestamp(world.now) };
  world.put(budget({ minAvailable: 2 }, { ...status, disruptedPods }));
  assert.equal(numbers(statusOf(world)), '3 2 2 0');
  assert.deepEqual(Object.keys(statusOf(world).disruptedPods ?? {}), ['p0']);
  assert.equal(disruptionController.decide(world, KEY).againMs, 120_000);
  world.now += 120_000;
  assert.equal(numbers(statusOf(world)), '3 2 3 1');
  assert.deepEqual(statusOf(world).disruptedPods ?? {}, {});
});

test('from any state: what may go never brings the healthy below what must stay, and it comes to rest', () => {
  const share = fc.oneof(
    fc.nat(6),
    fc.nat(100).map((percent) => `${percent}%`),
  );
  const spec = fc.oneof(
    share.map((minAvailable) => ({ minAvailable })),
    share.map((maxUnavailable) => ({ maxUnavailable })),
  );
  fc.assert(
    fc.property(spec, fc.nat(6), fc.nat(6), fc.nat(6), fc.array(fc.nat(8)), (wish, replicas, count, ready, granted) => {
      const world = new TestWorld(cluster(replicas, count, ready));
      const disruptedPods = Object.fromEntries(granted.map((i) => [`p${i}`, timestamp(world.now)]));
      const old = { disruptionsAllowed: 9, currentHealthy: 9, desiredHealthy: 9, expectedPods: 9, disruptedPods };
      world.put(budget(wish, old));
      const { disruptionsAllowed, currentHealthy, desiredHealthy } = statusOf(world);
      assert.ok(disruptionsAllowed >= 0);
      assert.ok(disruptionsAllowed === 0 || currentHealthy - disruptionsAllowed >= desiredHealthy);
      const living = new Set([...world.of(PODS).values()].map((p: Pod) => p.metadata.name));
      assert.ok(Object.keys(statusOf(world).disruptedPods ?? {}).every((name) => living.has(name)));
      assert.deepEqual(disruptionController.decide(world, KEY).writes, []);
    }),
    { numRuns: 200 },
  );
});
