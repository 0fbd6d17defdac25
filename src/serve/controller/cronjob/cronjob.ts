/** Jobs at the times of a schedule (batch/v1 CronJob). */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { dueOf } from '#serve/controller/cronjob/due.ts';
import { statusWrites } from '#serve/controller/workload/status.ts';
import { timeOf, timestamp, type World } from '#serve/controller/world.ts';
import {
  type Decision,
  decision,
  NOTHING,
  type Notice,
  ownedBy,
  referenceTo,
  type Write,
} from '#serve/controller/write.ts';
import { CRON_JOBS, type CronJob, JOBS, type Job } from '#spec/batch.ts';
import { apiVersionOf, conditionOf, controllerOf, type ObjectReference } from '#spec/k8s.ts';

/** Annotation of a Job: the time that it stands for. */
const SCHEDULED = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** Timers take no longer waits than some weeks, and a schedule may be once a year, ms. */
const LONGEST_WAIT_MS = 6 * 3_600_000;

export const cronJobController: Controller = {
  name: 'cronjob',
  needs: [CRON_JOBS, JOBS],
  keys: (world) => [...world.of(CRON_JOBS).keys()],
  wake(resource, change) {
    if (isOf(CRON_JOBS, resource, change)) return [change.key];
    if (!isOf(JOBS, resource, change)) return [];
    const owner = controllerOf(change.object);
    return owner?.kind === CRON_JOBS.kind ? [`${change.object.metadata.namespace}/${owner.name}`] : [];
  },
  decide(world, key) {
    const cron = world.of(CRON_JOBS).get(key);
    if (cron === undefined || cron.metadata.deletionTimestamp !== undefined) return NOTHING;
    return reconcile(cron, jobsOf(cron, world), world.now);
  },
};

function jobsOf(cron: CronJob, world: World): Job[] {
  const mine = [...world.of(JOBS).values()].filter((job) => controllerOf(job)?.uid === cron.metadata.uid);
  return mine.sort((a, b) => startOf(a) - startOf(b) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
}

function startOf(job: Job): number {
  return timeOf(job.metadata.creationTimestamp);
}

type End = 'Complete' | 'Failed';

function endOf(job: Job): End | undefined {
  const ends: readonly End[] = ['Complete', 'Failed'];
  return ends.find((type) => conditionOf(job.status?.conditions, type)?.status === 'True');
}

function reconcile(cron: CronJob, jobs: readonly Job[], now: number): Decision {
  const active = jobs.filter((job) => endOf(job) === undefined);
  const seen = [...seenEnd(cron, jobs), ...clean(cron, jobs)];
  const idle = () => decision([...seen, ...status(cron, jobs, active)]);
  if (cron.spec.suspend === true) return idle();
  const due = dueOf(cron, now);
  if (due.kind === 'unreadable') return complain(cron, due.reason, due.message, seen);
  const againMs = due.againMs === undefined ? undefined : Math.min(due.againMs, LONGEST_WAIT_MS);
  if (due.at === undefined) return { ...idle(), ...decision(idle().writes, againMs) };
  const many = due.manyMissed ? [tell(cron, 'Warning', 'TooManyMissedTimes', TOO_MANY)] : [];
  // What a pause or a deadline has let pass is passed for good: the next look begins after it.
  const passed = (more: readonly Write[]) =>
    decision([...seen, ...many, ...more, ...status(cron, jobs, active, due.at)], againMs);
  if (due.late) return passed([tell(cron, 'Warning', 'MissSchedule', missed(due.at))]);
  const name = nameAt(cron, due.at);
  if (jobs.some((job) => job.metadata.name === name)) return passed([]);
  if (cron.spec.concurrencyPolicy === 'Forbid' && active.length > 0)
    return passed([tell(cron, 'Normal', 'JobAlreadyActive', ALREADY)]);
  const replaced = cron.spec.concurrencyPolicy === 'Replace' ? active : [];
  // First the Job, then the time: if nobody gets to the second, the Job's name says that it is there.
  const begun: Write[] = [...replaced.map((job) => remove(cron, job)), create(cron, name, due.at)];
  return decision([...seen, ...many, ...begun], 0);
}

const ALREADY = 'Not starting job because prior execution is running and concurrency policy is Forbid';
const TOO_MANY =
  'too many missed start times: > 100. Set or decrease .spec.startingDeadlineSeconds or check clock skew';

function missed(at: number): string {
  return `Missed scheduled time to start a job: ${new Date(at).toUTCString().replace('GMT', '+0000')}`;
}

/** The event is written once: the same words again only count up on it. */
function complain(cron: CronJob, reason: string, message: string, before: readonly Write[]): Decision {
  return decision([...before, tell(cron, 'Warning', reason, message)], LONGEST_WAIT_MS);
}

function tell(cron: CronJob, type: Notice['type'], reason: string, message: string): Write {
  return { verb: 'notice', notice: notice(cron, type, reason, message) };
}

function notice(cron: CronJob, type: Notice['type'], reason: string, message: string): Notice {
  return { about: referenceTo(CRON_JOBS, cron), type, reason, message, component: 'cronjob-controller' };
}

/** The same for the same time: a second Job for it is refused by its name. */
function nameAt(cron: CronJob, at: number): string {
  return `${cron.metadata.name}-${Math.floor(at / 60_000)}`;
}

function create(cron: CronJob, name: string, at: number): Write {
  const { metadata = {}, spec } = cron.spec.jobTemplate;
  const { namespace } = cron.metadata;
  const object = {
    apiVersion: apiVersionOf(JOBS),
    kind: JOBS.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: { ...metadata.annotations, [SCHEDULED]: timestamp(at) },
      ownerReferences: [ownedBy(CRON_JOBS, cron)],
    },
    spec,
  };
  return {
    verb: 'create',
    resource: JOBS,
    object,
    notice: notice(cron, 'Normal', 'SuccessfulCreate', 'Created job {name}'),
  };
}

function remove(cron: CronJob, job: Job): Write {
  const told = notice(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${job.metadata.name}`);
  return { verb: 'delete', resource: JOBS, object: job, propagationPolicy: 'Background', notice: told };
}

/** Jobs that have ended since the status named them as active. */
function seenEnd(cron: CronJob, jobs: readonly Job[]): Write[] {
  const uids = new Set((cron.status?.active ?? []).map(({ uid }) => uid));
  return jobs.flatMap((job) => {
    const end = endOf(job);
    if (end === undefined || !uids.has(job.metadata.uid)) return [];
    return [tell(cron, 'Normal', 'SawCompletedJob', `Saw completed job: ${job.metadata.name}, condition: ${end}`)];
  });
}

/** Jobs beyond the history, the oldest first. */
function clean(cron: CronJob, jobs: readonly Job[]): Write[] {
  const limits = {
    Complete: cron.spec.successfulJobsHistoryLimit ?? 3,
    Failed: cron.spec.failedJobsHistoryLimit ?? 1,
  } as const;
  return (['Complete', 'Failed'] as const).flatMap((end) => {
    const ended = jobs.filter((job) => endOf(job) === end && job.metadata.deletionTimestamp === undefined);
    return ended.slice(0, Math.max(0, ended.length - limits[end])).map((job) => remove(cron, job));
  });
}

function status(cron: CronJob, jobs: readonly Job[], active: readonly Job[], passed?: number): Write[] {
  const won = jobs.filter((job) => endOf(job) === 'Complete').map((job) => timeOf(job.status?.completionTime));
  const success = Math.max(timeOf(cron.status?.lastSuccessfulTime), ...won);
  const references = active.map((job): ObjectReference => referenceTo(JOBS, job)).map(withoutVersion);
  const stale = references.length > 0 || (cron.status?.active ?? []).length > 0;
  return statusWrites(CRON_JOBS, cron, {
    ...(stale ? { active: references } : {}),
    ...(passed === undefined ? {} : { lastScheduleTime: timestamp(passed) }),
    ...(success > 0 ? { lastSuccessfulTime: timestamp(success) } : {}),
  });
}

/** A Job's version changes with each of its pods: that is no news of the CronJob. */
function withoutVersion({ resourceVersion: _, ...reference }: ObjectReference): ObjectReference {
  return reference;
}
