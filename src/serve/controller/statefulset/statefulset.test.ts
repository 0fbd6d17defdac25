import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { statefulSetController } from '#serve/controller/statefulset/statefulset.ts';
import { pod, running, TestWorld } from '#serve/controller/testing.ts';
import { PODS } from '#spec/k8s.ts';
import { CONTROLLER_REVISIONS, STATEFUL_SETS, type StatefulSet } from '#spec/workloads.ts';

const KEY = 'default/web';

function stateful(spec: Partial<StatefulSet['spec']> = {}, image = 'v1'): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { namespace: 'default', name: 'web', generation: 1 },
    spec: {
      replicas: 3,
      serviceName: 'headless',
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } },
      ...spec,
    },
  };
}

const podsOf = (world: TestWorld) => [...world.of(PODS).values()];
const names = (world: TestWorld) =>
  podsOf(world)
    .map((p) => `${p.metadata.name}=${p.spec.containers[0]?.image}`)
    .sort()
    .join(' ');

function setOf(world: TestWorld): StatefulSet {
  const found = world.of(STATEFUL_SETS).get(KEY);
  assert.ok(found);
  return found;
}

function edit(world: TestWorld, spec: Partial<StatefulSet['spec']>): void {
  world.edit(setOf(world), (set) => ({
    ...set,
    metadata: { ...set.metadata, generation: (set.metadata.generation ?? 1) + 1 },
    spec: { ...set.spec, ...spec },
  }));
}

/** Steps until nothing moves; answers how the pods stood after each. */
function rollOut(world: TestWorld): string[] {
  const seen: string[] = [];
  for (let round = 0; round < 40; round++) {
    world.settle(statefulSetController);
    seen.push(names(world));
    const waiting = podsOf(world).filter(
      (p) => p.status?.phase !== 'Running' && p.spec.containers[0]?.image !== 'broken',
    );
    if (waiting.length === 0) return seen;
    for (const each of waiting) running(world, each);
  }
  return assert.fail('the rollout does not end');
}

const withImage = (image: string) => ({ template: stateful({}, image).spec.template });

test('pods start in order, with names, hostnames and a subdomain that stay', () => {
  const world = new TestWorld([stateful()]);
  assert.deepEqual(rollOut(world).slice(0, 3), ['web-0=v1', 'web-0=v1 web-1=v1', 'web-0=v1 web-1=v1 web-2=v1']);
  const [first] = podsOf(world);
  assert.deepEqual([first?.spec.hostname, first?.spec.subdomain], ['web-0', 'headless']);
  assert.equal(first?.metadata.labels?.['apps.kubernetes.io/pod-index'], '0');
  const { status } = setOf(world);
  assert.equal(status?.readyReplicas, 3);
  assert.equal(status?.currentRevision, status?.updateRevision);
  assert.equal(world.of(CONTROLLER_REVISIONS).size, 1);
});

test('Parallel starts and ends all at once; in order the highest goes first', () => {
  const world = new TestWorld([stateful({ podManagementPolicy: 'Parallel' })]);
  assert.equal(rollOut(world)[0], 'web-0=v1 web-1=v1 web-2=v1');
  const ordered = new TestWorld([stateful()]);
  rollOut(ordered);
  edit(ordered, { replicas: 1 });
  const { writes } = statefulSetController.decide(ordered, KEY);
  const deleted = writes.flatMap((write) => (write.verb === 'delete' ? [write.object.metadata.name] : []));
  assert.deepEqual(deleted, ['web-2']);
  rollOut(ordered);
  assert.equal(names(ordered), 'web-0=v1');
});

test('a rolling update goes from the highest number down to the partition', () => {
  const world = new TestWorld([stateful()]);
  rollOut(world);
  edit(world, { ...withImage('v2'), updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } });
  const seen = rollOut(world);
  assert.deepEqual(seen.slice(0, 2), ['web-0=v1 web-1=v1 web-2=v2', 'web-0=v1 web-1=v2 web-2=v2']);
  assert.notEqual(setOf(world).status?.currentRevision, setOf(world).status?.updateRevision);
  // Below the partition a pod that is lost comes back as it was.
  world.remove(podsOf(world).find((p) => p.metadata.name === 'web-0') ?? pod('none'));
  rollOut(world);
  assert.equal(names(world), 'web-0=v1 web-1=v2 web-2=v2');
  edit(world, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } });
  rollOut(world);
  assert.equal(names(world), 'web-0=v2 web-1=v2 web-2=v2');
  assert.equal(setOf(world).status?.currentRevision, setOf(world).status?.updateRevision);
});

test('a broken rollout stops at its first pod, and is undone to the revision that was', () => {
  const world = new TestWorld([stateful()]);
  rollOut(world);
  edit(world, withImage('broken'));
  rollOut(world);
  assert.equal(names(world), 'web-0=v1 web-1=v1 web-2=broken');
  edit(world, withImage('v1'));
  rollOut(world);
  assert.equal(names(world), 'web-0=v1 web-1=v1 web-2=v1');
  assert.deepEqual([...world.of(CONTROLLER_REVISIONS).values()].map(({ revision }) => revision).sort(), [2, 3]);
});

test('from any state: the wanted pods of the newest template', () => {
  const step = fc.oneof(
    fc.record({ image: fc.constantFrom('v1', 'v2', 'broken') }),
    fc.record({ replicas: fc.nat(5) }),
    fc.record({ lost: fc.nat(5) }),
    fc.record({ start: fc.nat(2) }),
  );
  const policies = fc.constantFrom('Parallel' as const, 'OrderedReady' as const);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), policies, (steps, podManagementPolicy) => {
      const world = new TestWorld([stateful({ podManagementPolicy })]);
      for (const one of steps) {
        if ('image' in one) edit(world, withImage(one.image));
        else if ('replicas' in one) edit(world, { replicas: one.replicas });
        else if ('start' in one) edit(world, { ordinals: { start: one.start } });
        else world.remove(podsOf(world)[one.lost] ?? pod('none'));
        rollOut(world);
      }
      edit(world, withImage('final'));
      rollOut(world);
      const { replicas = 1, ordinals } = setOf(world).spec;
      const wanted = Array.from({ length: replicas }, (_, index) => `web-${index + (ordinals?.start ?? 0)}=final`);
      assert.equal(names(world), wanted.join(' '));
    }),
    { numRuns: 60 },
  );
});
