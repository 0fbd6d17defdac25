import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cronJobController } from '#serve/controller/cronjob/cronjob.ts';
import { T0, TestWorld } from '#serve/controller/testing.ts';
import { timestamp } from '#serve/controller/world.ts';
import { CRON_JOBS, type CronJob, JOBS, type Job } from '#spec/batch.ts';

const KEY = 'default/tick';
const MINUTE = 60_000;

function cronJob(spec: Partial<CronJob['spec']> = {}): CronJob {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main' }] } };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { namespace: 'default', name: 'tick', creationTimestamp: timestamp(T0) },
    spec: {
      schedule: '* * * * *',
      jobTemplate: { metadata: { labels: { app: 'tick' } }, spec: { selector: {}, template } },
      ...spec,
    },
  };
}

const jobsOf = (world: TestWorld) => [...world.of(JOBS).values()];
const isOpen = (job: Job) => job.status?.conditions === undefined;
const reasons = (world: TestWorld) => world.notices.map(({ reason }) => reason);

function cronOf(world: TestWorld): CronJob {
  const found = world.of(CRON_JOBS).get(KEY);
  assert.ok(found);
  return found;
}

function end(world: TestWorld, job: Job, type: 'Complete' | 'Failed'): void {
  const completionTime = type === 'Complete' ? { completionTime: timestamp(world.now) } : {};
  world.edit(job, (one) => ({ ...one, status: { ...completionTime, conditions: [{ type, status: 'True' }] } }));
}

/** Lets `minutes` pass, one at a time; `each` sees the Jobs that are open. */
function pass(world: TestWorld, minutes: number, each: (job: Job) => void = () => {}): void {
  for (let minute = 0; minute < minutes; minute++) {
    world.now += MINUTE;
    world.settle(cronJobController);
    for (const job of jobsOf(world).filter(isOpen)) each(job);
    world.settle(cronJobController);
  }
}

test('a Job at each time, named after it, of the template, and the next look at the next time', () => {
  const world = new TestWorld([cronJob()]);
  assert.deepEqual(world.settle(cronJobController), []);
  assert.equal(cronJobController.decide(world, KEY).againMs, MINUTE);
  pass(world, 1);
  const [job] = jobsOf(world);
  assert.equal(job?.metadata.name, `tick-${(T0 + MINUTE) / MINUTE}`);
  assert.equal(job?.metadata.labels?.app, 'tick');
  assert.equal(job?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'], timestamp(T0 + MINUTE));
  assert.equal(cronOf(world).status?.lastScheduleTime, timestamp(T0 + MINUTE));
  assert.deepEqual(
    cronOf(world).status?.active?.map(({ name }) => name),
    [job?.metadata.name],
  );
});

test('what has ended is told, noted and kept to the limits of the history', () => {
  const world = new TestWorld([cronJob({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 1 })]);
  let count = 0;
  pass(world, 8, (job) => end(world, job, count++ % 2 === 0 ? 'Complete' : 'Failed'));
  const of = (type: string) => jobsOf(world).filter((job) => job.status?.conditions?.[0]?.type === type).length;
  assert.deepEqual([of('Complete'), of('Failed')], [2, 1]);
  assert.equal(cronOf(world).status?.lastSuccessfulTime, timestamp(T0 + 7 * MINUTE));
  assert.deepEqual(cronOf(world).status?.active, []);
  assert.equal(reasons(world).filter((reason) => reason === 'SawCompletedJob').length, 8);
});

test('Allow runs them side by side, Forbid waits, Replace ends the one before', () => {
  for (const [concurrencyPolicy, left] of [
    ['Allow', 3],
    ['Forbid', 1],
    ['Replace', 1],
  ] as const) {
    const world = new TestWorld([cronJob({ concurrencyPolicy })]);
    pass(world, 3);
    assert.equal(jobsOf(world).length, left, concurrencyPolicy);
    const newest = concurrencyPolicy === 'Forbid' ? 1 : 3;
    assert.equal(jobsOf(world).at(-1)?.metadata.name, `tick-${T0 / MINUTE + newest}`, concurrencyPolicy);
    assert.equal(reasons(world).includes('JobAlreadyActive'), concurrencyPolicy === 'Forbid');
  }
});

test('of what was missed only the last is made up for, and nothing that is too late', () => {
  const world = new TestWorld([cronJob({ schedule: '0 * * * *' })]);
  pass(world, 1);
  world.now = T0 + 5 * 60 * MINUTE + 20 * MINUTE;
  world.settle(cronJobController);
  assert.deepEqual(
    jobsOf(world).map(({ metadata }) => metadata.name),
    [`tick-${T0 / MINUTE + 300}`],
  );
  const strict = new TestWorld([cronJob({ schedule: '0 * * * *', startingDeadlineSeconds: 60 })]);
  strict.now = T0 + 5 * 60 * MINUTE + 20 * MINUTE;
  strict.settle(cronJobController);
  assert.deepEqual([jobsOf(strict).length, reasons(strict)], [0, ['MissSchedule']]);
});

test('after more than a hundred missed times it says so, and goes on', () => {
  const world = new TestWorld([cronJob()]);
  world.now = T0 + 200 * MINUTE;
  world.settle(cronJobController);
  assert.equal(jobsOf(world).length, 1);
  assert.ok(reasons(world).includes('TooManyMissedTimes'));
});

test('a suspended CronJob begins nothing, and afterwards not all that it let pass', () => {
  const world = new TestWorld([cronJob({ suspend: true })]);
  pass(world, 10);
  assert.deepEqual(jobsOf(world), []);
  world.edit(cronOf(world), (cron) => ({ ...cron, spec: { ...cron.spec, suspend: false } }));
  world.settle(cronJobController);
  assert.equal(jobsOf(world).length, 1);
});

test('times are those of the time zone', () => {
  const world = new TestWorld([cronJob({ schedule: '0 9 * * *', timeZone: 'Asia/Tokyo' })]);
  assert.equal(cronJobController.decide(world, KEY).againMs, 6 * 60 * MINUTE);
  world.now = T0 + 24 * 60 * MINUTE;
  world.settle(cronJobController);
  assert.equal(
    jobsOf(world)[0]?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'],
    timestamp(world.now),
  );
});

test('a schedule that cannot be read is an event, not a loop', () => {
  const world = new TestWorld([cronJob({ schedule: 'soon' })]);
  const { writes, againMs = 0 } = cronJobController.decide(world, KEY);
  assert.deepEqual(
    writes.map((write) => (write.verb === 'notice' ? write.notice.message : write.verb)),
    ['unparseable schedule: soon : expected exactly 5 fields, found 1: [soon]'],
  );
  assert.ok(againMs > MINUTE);
});

test('killed anywhere, looked at anywhen: never two Jobs for one time', () => {
  const step = fc.record({ minutes: fc.nat(4), writes: fc.nat(4), ends: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.constantFrom('Allow', 'Forbid', 'Replace'), (steps, policy) => {
      const concurrencyPolicy = policy as 'Allow' | 'Forbid' | 'Replace';
      const limits = { successfulJobsHistoryLimit: 100, failedJobsHistoryLimit: 100 };
      const world = new TestWorld([cronJob({ concurrencyPolicy, ...limits })]);
      const made: string[] = [];
      for (const { minutes, writes, ends } of steps) {
        world.now += minutes * MINUTE;
        for (const write of cronJobController.decide(world, KEY).writes.slice(0, writes)) {
          if (write.verb === 'create') made.push(write.object.metadata.name ?? '');
          world.apply(write);
        }
        if (ends) for (const job of jobsOf(world).filter(isOpen)) end(world, job, 'Complete');
      }
      assert.equal(new Set(made).size, made.length);
      world.settle(cronJobController);
      assert.deepEqual(world.settle(cronJobController), []);
      if (concurrencyPolicy !== 'Allow') assert.ok(jobsOf(world).filter(isOpen).length <= 1);
    }),
    { numRuns: 200 },
  );
});
