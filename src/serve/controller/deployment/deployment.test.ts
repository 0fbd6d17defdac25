import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Controller } from '#serve/controller/controller.ts';
import { deploymentController } from '#serve/controller/deployment/deployment.ts';
import { HASH_LABEL, limitsOf, REVISION, sizeOf } from '#serve/controller/deployment/sets.ts';
import { replicaSetController } from '#serve/controller/replicaset/replicaset.ts';
import { pod, running, TestWorld } from '#serve/controller/testing.ts';
import { isActive } from '#serve/controller/workload/pods.ts';
import { conditionOf, controllerOf, PODS } from '#spec/k8s.ts';
import { DEPLOYMENTS, type Deployment, REPLICA_SETS, type ReplicaSet } from '#spec/workloads.ts';

const KEY = 'default/web';
const BOTH: readonly Controller[] = [deploymentController, replicaSetController];

function deployment(spec: Partial<Deployment['spec']> = {}, image = 'v1'): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: 'default', name: 'web', generation: 1 },
    spec: {
      replicas: 3,
      progressDeadlineSeconds: 600,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } },
      ...spec,
    },
  };
}

const podsOf = (world: TestWorld) => [...world.of(PODS).values()].filter(isActive);
const setsIn = (world: TestWorld) => [...world.of(REPLICA_SETS).values()];

function webOf(world: TestWorld): Deployment {
  const found = world.of(DEPLOYMENTS).get(KEY);
  assert.ok(found);
  return found;
}

function settle(world: TestWorld): void {
  for (let round = 0; round < 30; round++) {
    const writes = BOTH.flatMap((controller) => world.settle(controller));
    if (writes.length === 0) return;
  }
  assert.fail('the controllers do not come to rest');
}

/** Kubelets start what is there, unless its image is broken; each step is looked at. */
function rollOut(world: TestWorld, look: (world: TestWorld) => void = () => {}): void {
  for (let round = 0; round < 40; round++) {
    settle(world);
    look(world);
    const waiting = podsOf(world).filter((p) => p.status?.phase !== 'Running' && !isBroken(world, p.metadata.name));
    if (waiting.length === 0) return;
    world.now += 1000;
    for (const each of waiting) running(world, each);
  }
  assert.fail('the rollout does not end');
}

function isBroken(world: TestWorld, name: string | undefined): boolean {
  return podsOf(world).find((p) => p.metadata.name === name)?.spec.containers[0]?.image === 'broken';
}

function edit(world: TestWorld, spec: Partial<Deployment['spec']>): void {
  world.edit(webOf(world), (web) => ({
    ...web,
    metadata: { ...web.metadata, generation: (web.metadata.generation ?? 1) + 1 },
    spec: { ...web.spec, ...spec },
  }));
}

const newImage = (world: TestWorld, image: string) => edit(world, { template: deployment({}, image).spec.template });
const images = (world: TestWorld) =>
  podsOf(world)
    .map((p) => p.spec.containers[0]?.image)
    .sort()
    .join();

function rolledOut(spec: Partial<Deployment['spec']> = {}): TestWorld {
  const world = new TestWorld([deployment(spec)]);
  rollOut(world);
  return world;
}

test('a Deployment makes a ReplicaSet of its template, which makes the pods', () => {
  const world = rolledOut();
  const [set] = setsIn(world);
  assert.ok(set);
  const hash = set.metadata.labels?.[HASH_LABEL];
  assert.equal(set.metadata.name, `web-${hash}`);
  assert.equal(set.spec.selector.matchLabels?.[HASH_LABEL], hash);
  assert.equal(controllerOf(set)?.uid, webOf(world).metadata.uid);
  assert.equal(podsOf(world).length, 3);
  assert.ok(podsOf(world).every((p) => p.metadata.labels?.[HASH_LABEL] === hash));
  assert.equal(webOf(world).metadata.annotations?.[REVISION], '1');
});

test('status and conditions are those that kubectl waits for', () => {
  const { status } = webOf(rolledOut());
  assert.ok(status);
  const { conditions, ...counts } = status;
  assert.deepEqual(counts, {
    observedGeneration: 1,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    unavailableReplicas: 0,
  });
  assert.deepEqual(
    conditions?.map((one) => [one.type, one.status, one.reason]),
    [
      ['Available', 'True', 'MinimumReplicasAvailable'],
      ['Progressing', 'True', 'NewReplicaSetAvailable'],
    ],
  );
});

test('a rolling update keeps within surge and unavailable at every step', () => {
  for (const [maxSurge, maxUnavailable] of [
    [1, 0],
    [0, 1],
    ['25%', '25%'],
    ['100%', 0],
  ] as const) {
    const world = rolledOut({
      replicas: 4,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
    });
    const { surge, unavailable } = limitsOf(webOf(world));
    newImage(world, 'v2');
    rollOut(world, () => {
      assert.ok(podsOf(world).length <= 4 + surge);
      assert.ok(podsOf(world).filter((p) => p.status?.phase === 'Running').length >= 4 - unavailable);
    });
    assert.equal(images(world), 'v2,v2,v2,v2');
    assert.deepEqual(setsIn(world).map(sizeOf).sort(), [0, 4]);
  }
});

test('a rollout to a broken image stops, tells when its time is over, and can be undone', () => {
  const world = rolledOut({ replicas: 4 });
  newImage(world, 'broken');
  rollOut(world);
  assert.equal(images(world), 'broken,broken,v1,v1,v1');
  assert.equal(conditionOf(webOf(world).status?.conditions, 'Available')?.status, 'True');
  world.now += deploymentController.decide(world, KEY).againMs ?? 0;
  settle(world);
  assert.equal(conditionOf(webOf(world).status?.conditions, 'Progressing')?.reason, 'ProgressDeadlineExceeded');
  newImage(world, 'v1');
  rollOut(world);
  assert.equal(images(world), 'v1,v1,v1,v1');
  assert.equal(setsIn(world).length, 2);
  assert.equal(webOf(world).metadata.annotations?.[REVISION], '3');
  assert.equal(conditionOf(webOf(world).status?.conditions, 'Progressing')?.reason, 'NewReplicaSetAvailable');
});

test('Recreate ends every old pod before the first new one begins', () => {
  const world = rolledOut({ strategy: { type: 'Recreate' } });
  newImage(world, 'v2');
  rollOut(world, () => assert.ok(new Set(podsOf(world).map((p) => p.spec.containers[0]?.image)).size <= 1));
  assert.equal(images(world), 'v2,v2,v2');
});

test('replicas can be changed at rest, in the middle of a rollout, and to nothing', () => {
  const world = rolledOut();
  edit(world, { replicas: 5 });
  rollOut(world);
  assert.equal(podsOf(world).length, 5);
  newImage(world, 'broken');
  settle(world);
  edit(world, { replicas: 10 });
  rollOut(world);
  // Both sets got their share.
  assert.ok(
    setsIn(world).every((set) => sizeOf(set) > 2),
    JSON.stringify(setsIn(world).map(sizeOf)),
  );
  edit(world, { replicas: 0 });
  rollOut(world);
  assert.equal(podsOf(world).length, 0);
});

test('a paused Deployment is scaled, but not rolled out', () => {
  const world = rolledOut({ paused: true });
  assert.equal(podsOf(world).length, 0);
  edit(world, { paused: false });
  rollOut(world);
  edit(world, { paused: true, template: deployment({}, 'v2').spec.template, replicas: 4 });
  rollOut(world);
  assert.equal(images(world), 'v1,v1,v1,v1');
  edit(world, { paused: false });
  rollOut(world);
  assert.equal(images(world), 'v2,v2,v2,v2');
});

test('history is kept to its limit, and every template keeps its revision', () => {
  const world = rolledOut({ revisionHistoryLimit: 2 });
  for (const image of ['v2', 'v3', 'v4', 'v5']) {
    newImage(world, image);
    rollOut(world);
  }
  const revisions = setsIn(world).map((set) => [
    set.spec.template.spec.containers[0]?.image,
    set.metadata.annotations?.[REVISION],
  ]);
  assert.deepEqual(revisions.sort(), [
    ['v3', '3'],
    ['v4', '4'],
    ['v5', '5'],
  ]);
});

test('a name that is taken gets another hash', () => {
  const world = rolledOut();
  const [set] = setsIn(world);
  assert.ok(set);
  const fresh = new TestWorld([deployment()]);
  const metadata = { name: set.metadata.name ?? '', namespace: 'default' };
  const taken: ReplicaSet = { ...set, metadata, spec: { ...set.spec, replicas: 0 } };
  fresh.put(taken);
  rollOut(fresh);
  assert.equal(webOf(fresh).status?.collisionCount, 1);
  assert.equal(podsOf(fresh).length, 3);
});

test('a pod that is taken from its labels is replaced, one that fits is adopted', () => {
  const world = rolledOut();
  const [first] = podsOf(world);
  assert.ok(first);
  world.edit(first, (p) => ({ ...p, metadata: { ...p.metadata, labels: { debug: 'yes' } } }));
  rollOut(world);
  assert.equal(podsOf(world).length, 4);
  assert.equal(podsOf(world).filter((p) => controllerOf(p) === undefined).length, 1);
  const labels = setsIn(world)[0]?.spec.selector.matchLabels ?? {};
  world.put(pod('stray', { metadata: { labels } }));
  rollOut(world);
  assert.equal(podsOf(world).filter((p) => controllerOf(p) !== undefined).length, 3);
});

test('from any state: the wanted number of pods of the newest template, and rest', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('image' as const), image: fc.constantFrom('v1', 'v2', 'v3', 'broken') }),
    fc.record({ do: fc.constant('scale' as const), replicas: fc.nat(6) }),
    fc.record({ do: fc.constant('kill' as const), index: fc.nat(5) }),
    fc.record({ do: fc.constant('look' as const), index: fc.nat(1) }),
    fc.record({ do: fc.constant('run' as const) }),
  );
  const shares = fc.constantFrom(0, 1, 2, '25%', '60%');
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 14 }),
      shares,
      shares,
      fc.boolean(),
      (steps, maxSurge, maxUnavailable, recreate) => {
        const strategy = recreate
          ? ({ type: 'Recreate' } as const)
          : ({ type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } as const);
        const world = new TestWorld([deployment({ strategy })]);
        for (const one of steps) {
          if (one.do === 'image') newImage(world, one.image);
          else if (one.do === 'scale') edit(world, { replicas: one.replicas });
          else if (one.do === 'kill') world.remove(podsOf(world)[one.index] ?? pod('none'));
          else if (one.do === 'run') for (const each of podsOf(world)) running(world, each);
          else {
            const controller = BOTH[one.index] ?? deploymentController;
            for (const key of controller.keys(world))
              for (const write of controller.decide(world, key).writes) world.apply(write);
          }
        }
        newImage(world, 'final');
        rollOut(world);
        const wanted = webOf(world).spec.replicas ?? 0;
        assert.equal(images(world), Array(wanted).fill('final').join());
        assert.equal(webOf(world).status?.updatedReplicas ?? 0, wanted);
      },
    ),
    { numRuns: 100 },
  );
});
