import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FAILURES } from '#serve/controller/job/index-failures.ts';
import { formatIndexes, parseIndexes } from '#serve/controller/job/indexes.ts';
import { jobController } from '#serve/controller/job/job.ts';
import { INDEX, TRACKING } from '#serve/controller/job/pods.ts';
import { pod, TestWorld, wordOf } from '#serve/controller/testing.ts';
import { timestamp } from '#serve/controller/world.ts';
import { JOBS, type Job, type JobSpec } from '#spec/batch.ts';
import { conditionOf, PODS, type Pod } from '#spec/k8s.ts';

const KEY = 'default/work';

function job(spec: Partial<JobSpec> = {}): Job {
  const labels = { 'batch.kubernetes.io/controller-uid': 'u' };
  const { template: given, ...others } = spec;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { namespace: 'default', name: 'work', generation: 1 },
    spec: {
      selector: { matchLabels: labels },
      template: given ?? { metadata: { labels }, spec: { restartPolicy: 'Never', containers: [{ name: 'main' }] } },
      completions: 1,
      parallelism: 1,
      ...others,
    },
  };
}

const podsOf = (world: TestWorld) => [...world.of(PODS).values()];
const active = (world: TestWorld) =>
  podsOf(world).filter((p) => p.status?.phase !== 'Succeeded' && p.status?.phase !== 'Failed');
const reasons = (world: TestWorld) => world.notices.map(({ reason }) => reason);

function jobOf(world: TestWorld): Job {
  const found = world.of(JOBS).get(KEY);
  assert.ok(found);
  return found;
}

/** As its kubelet would report the end of a pod's only container. */
function end(world: TestWorld, target: Pod, exitCode: number): void {
  const terminated = { exitCode, finishedAt: timestamp(world.now) };
  const containerStatuses = [{ name: 'main', state: { terminated } }];
  world.edit(target, (p) => ({ ...p, status: { phase: exitCode === 0 ? 'Succeeded' : 'Failed', containerStatuses } }));
}

function edit(world: TestWorld, spec: Partial<JobSpec>): void {
  world.edit(jobOf(world), (one) => ({ ...one, spec: { ...one.spec, ...spec } }));
}

const verdict = (world: TestWorld) =>
  (jobOf(world).status?.conditions ?? [])
    .filter(({ type, status }) => status === 'True' && ['Complete', 'Failed', 'Suspended'].includes(type))
    .map(({ type, reason }) => `${type}/${reason}`)
    .join();

test('a Job makes its pod, counts it, lets it go and is complete', () => {
  const world = new TestWorld([job()]);
  world.settle(jobController);
  const [only] = podsOf(world);
  assert.ok(only);
  assert.deepEqual(only.metadata.finalizers, [TRACKING]);
  assert.equal(jobOf(world).status?.active, 1);
  assert.equal(jobOf(world).status?.startTime, timestamp(world.now));
  world.now += 5_000;
  end(world, only, 0);
  world.settle(jobController);
  const { status } = jobOf(world);
  assert.deepEqual([status?.succeeded, status?.failed, status?.active], [1, 0, 0]);
  assert.equal(status?.completionTime, timestamp(world.now));
  assert.equal(verdict(world), 'Complete/CompletionsReached');
  assert.deepEqual(podsOf(world)[0]?.metadata.finalizers, []);
  assert.deepEqual(reasons(world).slice(-1), ['Completed']);
  world.remove(podsOf(world)[0] ?? only);
  assert.deepEqual(world.settle(jobController), []);
});

test('parallelism is how many run, completions how many must succeed', () => {
  const world = new TestWorld([job({ completions: 5, parallelism: 2 })]);
  const seen: number[] = [];
  for (let round = 0; round < 3; round++) {
    world.settle(jobController);
    seen.push(active(world).length);
    for (const each of active(world)) end(world, each, 0);
  }
  world.settle(jobController);
  assert.deepEqual(seen, [2, 2, 1]);
  assert.equal(jobOf(world).status?.succeeded, 5);
  assert.equal(verdict(world), 'Complete/CompletionsReached');
});

test('a work queue is complete when one has succeeded and none runs', () => {
  const { completions: _, ...spec } = job({ parallelism: 3 }).spec;
  const world = new TestWorld([{ ...job(), spec } as Job]);
  world.settle(jobController);
  const [first, second, third] = active(world);
  assert.ok(first && second && third);
  end(world, first, 0);
  world.settle(jobController);
  assert.equal(active(world).length, 2);
  assert.equal(verdict(world), '');
  end(world, second, 1);
  world.settle(jobController);
  assert.equal(active(world).length, 1);
  end(world, third, 0);
  world.settle(jobController);
  assert.equal(verdict(world), 'Complete/CompletionsReached');
});

test('a failed pod is made anew after 10 s, 20 s, …, until backoffLimit is passed', () => {
  const world = new TestWorld([job({ backoffLimit: 2 })]);
  const waits: number[] = [];
  for (;;) {
    world.settle(jobController);
    const [one] = active(world);
    if (one === undefined) {
      if (verdict(world) !== '') break;
      const { againMs = 0 } = jobController.decide(world, KEY);
      waits.push(againMs);
      world.now += againMs;
    } else end(world, one, 1);
  }
  assert.deepEqual(waits, [10_000, 20_000]);
  assert.equal(verdict(world), 'Failed/BackoffLimitExceeded');
  assert.equal(jobOf(world).status?.failed, 3);
  assert.equal(world.notices.at(-1)?.message, 'Job has reached the specified backoff limit');
});

test('with OnFailure the restarts of containers count', () => {
  const template = {
    metadata: job().spec.template.metadata ?? {},
    spec: { restartPolicy: 'OnFailure', containers: [] },
  };
  const world = new TestWorld([job({ backoffLimit: 2, template })]);
  world.settle(jobController);
  const [one] = active(world);
  assert.ok(one);
  const status = { phase: 'Running' as const, containerStatuses: [{ name: 'main', restartCount: 2 }] };
  world.edit(one, (p) => ({ ...p, status }));
  world.settle(jobController);
  assert.equal(verdict(world), 'Failed/BackoffLimitExceeded');
  assert.deepEqual(active(world), []);
});

test('activeDeadlineSeconds ends it and its pods', () => {
  const world = new TestWorld([job({ activeDeadlineSeconds: 30 })]);
  world.settle(jobController);
  assert.equal(jobController.decide(world, KEY).againMs, 30_000);
  world.now += 30_000;
  world.settle(jobController);
  assert.equal(verdict(world), 'Failed/DeadlineExceeded');
  assert.deepEqual(podsOf(world), []);
});

test('an Indexed Job has a pod at each index, with its number in name, hostname, label and environment', () => {
  const world = new TestWorld([job({ completionMode: 'Indexed', completions: 3, parallelism: 3 })]);
  world.settle(jobController);
  const [first] = podsOf(world);
  assert.equal(first?.spec.hostname, 'work-0');
  assert.equal(first?.metadata.labels?.[INDEX], '0');
  assert.match(JSON.stringify(first?.spec.containers[0]?.env), /JOB_COMPLETION_INDEX/);
  const at = (index: number) => active(world).find((p) => p.metadata.annotations?.[INDEX] === `${index}`);
  end(world, at(0) as Pod, 0);
  end(world, at(2) as Pod, 0);
  world.settle(jobController);
  assert.equal(jobOf(world).status?.completedIndexes, '0,2');
  end(world, at(1) as Pod, 1);
  world.settle(jobController);
  world.now += 10_000;
  world.settle(jobController);
  end(world, at(1) as Pod, 0);
  world.settle(jobController);
  assert.equal(jobOf(world).status?.completedIndexes, '0-2');
  assert.deepEqual([jobOf(world).status?.succeeded, jobOf(world).status?.failed], [3, 1]);
  assert.equal(verdict(world), 'Complete/CompletionsReached');
});

test('a suspended Job has no pods and no start; they are not counted as failed', () => {
  const world = new TestWorld([job({ completions: 4, parallelism: 2 })]);
  world.settle(jobController);
  edit(world, { suspend: true });
  world.settle(jobController);
  assert.deepEqual(podsOf(world), []);
  assert.equal(verdict(world), 'Suspended/JobSuspended');
  assert.equal(jobOf(world).status?.startTime, undefined);
  edit(world, { suspend: false });
  world.settle(jobController);
  assert.equal(active(world).length, 2);
  assert.equal(conditionOf(jobOf(world).status?.conditions, 'Suspended')?.reason, 'JobResumed');
  assert.equal(jobOf(world).status?.failed, 0);
  assert.deepEqual(
    reasons(world).filter((r) => r === 'Suspended' || r === 'Resumed'),
    ['Suspended', 'Resumed'],
  );
});

test('ttlSecondsAfterFinished deletes it in the foreground', () => {
  const world = new TestWorld([job({ ttlSecondsAfterFinished: 60 })]);
  world.settle(jobController);
  end(world, active(world)[0] as Pod, 0);
  world.settle(jobController);
  assert.equal(jobController.decide(world, KEY).againMs, 60_000);
  world.now += 60_000;
  const { writes } = jobController.decide(world, KEY);
  assert.deepEqual(writes.map(wordOf), ['delete Job/work']);
  assert.equal(writes[0]?.verb === 'delete' && writes[0].propagationPolicy, 'Foreground');
});

test('podFailurePolicy: FailJob ends it at once, Ignore does not count', () => {
  const rules = [
    { action: 'FailJob' as const, onExitCodes: { containerName: 'main', operator: 'In' as const, values: [42] } },
    { action: 'Ignore' as const, onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
  ];
  const world = new TestWorld([job({ backoffLimit: 0, podFailurePolicy: { rules } })]);
  world.settle(jobController);
  const [first] = active(world);
  assert.ok(first);
  const conditions = [{ type: 'DisruptionTarget', status: 'True' as const }];
  world.edit(first, (p) => ({ ...p, status: { phase: 'Failed', conditions } }));
  world.settle(jobController);
  world.now += 20_000;
  world.settle(jobController);
  assert.deepEqual([jobOf(world).status?.failed, active(world).length, verdict(world)], [0, 1, '']);
  end(world, active(world)[0] as Pod, 42);
  world.settle(jobController);
  assert.equal(verdict(world), 'Failed/PodFailurePolicy');
  assert.match(
    world.notices.at(-1)?.message ?? '',
    /^Container main for pod default\/\S+ failed with exit code 42 matching FailJob rule at index 0$/,
  );
});

test('a pod that is being deleted counts as failed and has a successor, unless podReplacementPolicy says otherwise', () => {
  for (const [podReplacementPolicy, pods] of [
    ['TerminatingOrFailed', 2],
    ['Failed', 1],
  ] as const) {
    const world = new TestWorld([job({ podReplacementPolicy })]);
    world.settle(jobController);
    const [one] = podsOf(world);
    assert.ok(one);
    world.edit(one, (p) => ({ ...p, metadata: { ...p.metadata, deletionTimestamp: timestamp(world.now) } }));
    world.settle(jobController);
    assert.equal(podsOf(world).length, pods, podReplacementPolicy);
    assert.equal(jobOf(world).status?.terminating, 1);
    assert.equal(jobOf(world).status?.failed, pods - 1);
  }
});

const atIndex = (world: TestWorld, index: number) =>
  active(world).find((p) => p.metadata.annotations?.[INDEX] === `${index}`);

test('backoffLimitPerIndex: each index fails for itself, waits for itself, and the Job fails when all are through', () => {
  const world = new TestWorld([
    job({ completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimitPerIndex: 1 }),
  ]);
  world.settle(jobController);
  end(world, atIndex(world, 0) ?? pod('none'), 1);
  world.settle(jobController);
  assert.equal(atIndex(world, 0), undefined);
  assert.equal(jobController.decide(world, KEY).againMs, 10_000);
  assert.ok(atIndex(world, 1), 'the other index goes on');
  // Until its successor is there, the failed pod is the one that knows.
  assert.ok(podsOf(world).some((p) => p.status?.phase === 'Failed' && p.metadata.finalizers?.includes(TRACKING)));
  world.now += 10_000;
  world.settle(jobController);
  const second = atIndex(world, 0);
  assert.equal(second?.metadata.annotations?.[FAILURES], '1');
  end(world, second ?? pod('none'), 1);
  world.settle(jobController);
  assert.equal(jobOf(world).status?.failedIndexes, '0');
  assert.equal(verdict(world), '');
  end(world, atIndex(world, 1) ?? pod('none'), 0);
  world.settle(jobController);
  assert.equal(verdict(world), 'Failed/FailedIndexes');
  assert.deepEqual([jobOf(world).status?.succeeded, jobOf(world).status?.failed], [1, 2]);
  assert.ok(podsOf(world).every((p) => !p.metadata.finalizers?.includes(TRACKING)));
});

test('maxFailedIndexes and the rule FailIndex end it before', () => {
  const rules = [{ action: 'FailIndex' as const, onExitCodes: { operator: 'In' as const, values: [42] } }];
  const spec = { completionMode: 'Indexed' as const, completions: 4, parallelism: 4, backoffLimitPerIndex: 5 };
  const world = new TestWorld([job({ ...spec, maxFailedIndexes: 1, podFailurePolicy: { rules } })]);
  world.settle(jobController);
  end(world, atIndex(world, 0) ?? pod('none'), 42);
  world.settle(jobController);
  assert.equal(jobOf(world).status?.failedIndexes, '0');
  assert.equal(verdict(world), '');
  end(world, atIndex(world, 2) ?? pod('none'), 42);
  world.settle(jobController);
  for (const each of active(world)) world.remove(each);
  world.settle(jobController);
  assert.equal(verdict(world), 'Failed/MaxFailedIndexesExceeded');
});

test('successPolicy: some indexes are enough, and what still runs is ended', () => {
  const rules = [{ succeededIndexes: '0,3', succeededCount: 1 }, { succeededCount: 3 }];
  const world = new TestWorld([
    job({ completionMode: 'Indexed', completions: 4, parallelism: 4, successPolicy: { rules } }),
  ]);
  world.settle(jobController);
  end(world, atIndex(world, 1) ?? pod('none'), 0);
  world.settle(jobController);
  assert.equal(verdict(world), '');
  end(world, atIndex(world, 3) ?? pod('none'), 0);
  world.settle(jobController);
  assert.equal(verdict(world), 'Complete/SuccessPolicy');
  assert.deepEqual(active(world), []);
  assert.equal(jobOf(world).status?.completedIndexes, '1,3');
});

test('pods of a Job that is gone wait for nobody', () => {
  const world = new TestWorld([job()]);
  world.settle(jobController);
  world.remove(jobOf(world));
  world.settle(jobController);
  assert.deepEqual(podsOf(world)[0]?.metadata.finalizers, []);
});

test('a Job that somebody else manages is left alone', () => {
  const world = new TestWorld([job({ managedBy: 'example.com/other' })]);
  assert.deepEqual(world.settle(jobController), []);
});

test('from any state: the Job ends with as many successes as it wanted, each pod counted once', () => {
  const step = fc.oneof(
    fc.record({ end: fc.nat(4), code: fc.constantFrom(0, 0, 1) }),
    fc.record({ parallelism: fc.nat(4) }),
    fc.record({ suspend: fc.boolean() }),
    fc.record({ lost: fc.nat(4) }),
    fc.record({ partly: fc.nat(6) }),
  );
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 12 }),
      fc.nat(6),
      fc.constantFrom('Indexed' as const, 'NonIndexed' as const),
      fc.boolean(),
      (steps, completions, completionMode, alone) => {
        const perIndex = alone && completionMode === 'Indexed' ? { backoffLimitPerIndex: 1000 } : {};
        const spec = { completions, parallelism: 2, backoffLimit: 1000, completionMode, ...perIndex };
        const world = new TestWorld([job(spec)]);
        for (const one of steps) {
          if ('end' in one) {
            const target = active(world)[one.end];
            if (target !== undefined) end(world, target, one.code);
          } else if ('lost' in one) world.remove(active(world)[one.lost] ?? pod('none'));
          else if ('partly' in one) {
            // Killed in the middle of its writes.
            for (const write of jobController.decide(world, KEY).writes.slice(0, one.partly)) world.apply(write);
          } else {
            edit(world, one);
            world.settle(jobController);
          }
          if (!('partly' in one)) world.now += 1_000;
        }
        edit(world, { suspend: false, parallelism: 3 });
        world.settle(jobController);
        for (let round = 0; round < 60 && verdict(world) === ''; round++) {
          world.settle(jobController);
          for (const each of active(world)) end(world, each, 0);
          world.now += 400_000;
        }
        assert.equal(verdict(world), 'Complete/CompletionsReached');
        const { succeeded = 0, failed = 0 } = jobOf(world).status ?? {};
        const ended = (phase: string) => podsOf(world).filter((p) => p.status?.phase === phase).length;
        assert.ok(succeeded >= completions);
        if (completionMode === 'NonIndexed') assert.equal(succeeded, ended('Succeeded'));
        assert.equal(failed, ended('Failed'));
        assert.deepEqual(world.settle(jobController), []);
        assert.ok(podsOf(world).every((p) => !p.metadata.finalizers?.includes(TRACKING)));
      },
    ),
    { numRuns: 150 },
  );
});

test('indexes: what is written reads back', () => {
  assert.equal(formatIndexes(new Set([5, 0, 1, 2, 7, 8])), '0-2,5,7-8');
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(50)), (list) => {
      const set = new Set(list);
      assert.deepEqual(parseIndexes(formatIndexes(set)), new Set([...set].sort((a, b) => a - b)));
    }),
  );
  assert.deepEqual(parseIndexes('x,1-,3'), new Set([3]));
});
