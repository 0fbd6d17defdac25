/** A Job's status from its pods: what has been counted, what is being counted, and the verdict. */

import { isReady } from '#serve/controller/daemonset/availability.ts';
import { judge } from '#serve/controller/job/failure-policy.ts';
import { countsPerIndex, failedIndexes } from '#serve/controller/job/index-failures.ts';
import { formatIndexes, parseIndexes } from '#serve/controller/job/indexes.ts';
import {
  indexOf,
  isIndexed,
  isTerminating,
  isTracked,
  replacesWhileTerminating,
  restartsOf,
  toBeCounted,
} from '#serve/controller/job/pods.ts';
import { isActive } from '#serve/controller/workload/pods.ts';
import { timeOf, timestamp } from '#serve/controller/world.ts';
import type { Job, JobStatus } from '#spec/batch.ts';
import { type Condition, conditionOf, type Pod } from '#spec/k8s.ts';

export interface Counts {
  readonly succeeded: number;
  readonly failed: number;
  readonly completed: ReadonlySet<number>;
  /** Indexes that have failed for good. */
  readonly failedIndexes: ReadonlySet<number>;
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  /** Whether the API knows of everything that is uncounted: only then may pods be let go. */
  readonly stored: boolean;
}

/** A verdict on the whole Job. */
export interface Verdict {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

/** Pods move from their finalizer into `uncountedTerminatedPods`, and from there, their finalizer gone, into the counters. */
export function countPods(job: Job, pods: readonly Pod[]): Counts {
  const { uncountedTerminatedPods: before = {}, succeeded = 0, failed = 0 } = job.status ?? {};
  const tracked = new Set(pods.filter(isTracked).map(({ metadata }) => metadata.uid ?? ''));
  const split = (uids: readonly string[] = []) => ({
    left: uids.filter((uid) => tracked.has(uid)),
    done: uids.filter((uid) => !tracked.has(uid)).length,
  });
  const [won, lost] = [split(before.succeeded), split(before.failed)];
  const known = new Set([...won.left, ...lost.left]);
  const fresh = pods.filter(({ metadata }) => !known.has(metadata.uid ?? ''));
  const added = (how: 'succeeded' | 'failed') =>
    fresh
      .filter((pod) => toBeCounted(job, pod) === how && !(how === 'failed' && judge(job, pod)?.action === 'Ignore'))
      .map(({ metadata }) => metadata.uid ?? '');
  const [more, worse] = [added('succeeded'), added('failed')];
  const completed = completedOf(job, pods);
  return {
    completed,
    failedIndexes: failedIndexes(job, pods, completed),
    succeeded: isIndexed(job) ? completed.size : succeeded + won.done,
    failed: failed + lost.done,
    uncounted: { succeeded: isIndexed(job) ? [] : [...won.left, ...more], failed: [...lost.left, ...worse] },
    stored: more.length + worse.length === 0,
  };
}

function completedOf(job: Job, pods: readonly Pod[]): Set<number> {
  if (!isIndexed(job)) return new Set();
  const known = [...parseIndexes(job.status?.completedIndexes)].filter((index) => index < (job.spec.completions ?? 0));
  const now = pods.filter((pod) => toBeCounted(job, pod) === 'succeeded').map((pod) => indexOf(job, pod) ?? 0);
  return new Set([...known, ...now]);
}

export function totalSucceeded(job: Job, counts: Counts): number {
  return isIndexed(job) ? counts.completed.size : counts.succeeded + counts.uncounted.succeeded.length;
}

export function totalFailed(counts: Counts): number {
  return counts.failed + counts.uncounted.failed.length;
}

/** ms until the Job has been active for too long; undefined without a deadline, or while it is suspended. */
export function deadlineIn(job: Job, now: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = job.spec;
  if (activeDeadlineSeconds === undefined || suspend === true) return undefined;
  const start = timeOf(job.status?.startTime) || now;
  return start + activeDeadlineSeconds * 1000 - now;
}

/** What has become of the Job; undefined while it is open. A verdict that was given stands. */
export function verdictOf(job: Job, pods: readonly Pod[], counts: Counts, now: number): Verdict | undefined {
  return givenVerdict(job) ?? failureOf(job, pods, counts, now) ?? success(job, pods, counts);
}

function givenVerdict(job: Job): Verdict | undefined {
  const failed = conditionOf(job.status?.conditions, 'FailureTarget');
  const won = conditionOf(job.status?.conditions, 'SuccessCriteriaMet');
  const given = failed?.status === 'True' ? failed : won?.status === 'True' ? won : undefined;
  if (given === undefined) return undefined;
  const { reason = '', message = '' } = given;
  return { type: given === failed ? 'Failed' : 'Complete', reason, message };
}

function failureOf(job: Job, pods: readonly Pod[], counts: Counts, now: number): Verdict | undefined {
  const doomed = pods.filter(isTracked).flatMap((pod) => judge(job, pod) ?? []);
  const policy = doomed.find(({ action }) => action === 'FailJob');
  if (policy !== undefined) return { type: 'Failed', reason: 'PodFailurePolicy', message: policy.message };
  const indexes = indexFailure(job, counts);
  if (indexes !== undefined) return indexes;
  const limit = job.spec.backoffLimit ?? (countsPerIndex(job) ? Number.POSITIVE_INFINITY : 6);
  const restarts = restartsOf(pods.filter(isActive));
  const restartsOut = restartPolicyOf(job) === 'OnFailure' && restarts > 0 && restarts >= limit;
  if (totalFailed(counts) > limit || restartsOut)
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  if ((deadlineIn(job, now) ?? 1) > 0) return undefined;
  return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
}

function indexFailure({ spec }: Job, { failedIndexes: failed, completed }: Counts): Verdict | undefined {
  if (failed.size === 0) return undefined;
  if (failed.size > (spec.maxFailedIndexes ?? Number.POSITIVE_INFINITY)) {
    const message = 'Job has exceeded the specified maximal number of failed indexes';
    return { type: 'Failed', reason: 'MaxFailedIndexesExceeded', message };
  }
  if (failed.size + completed.size < (spec.completions ?? 0)) return undefined;
  return { type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' };
}

function restartPolicyOf(job: Job): string | undefined {
  return job.spec.template.spec.restartPolicy;
}

function success(job: Job, pods: readonly Pod[], counts: Counts): Verdict | undefined {
  const { completions, successPolicy } = job.spec;
  const rule = (successPolicy?.rules ?? []).findIndex((each) => isEnough(each, counts.completed));
  if (rule >= 0) return { type: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
  const done = totalSucceeded(job, counts);
  const running = pods.filter(isActive).length;
  const complete = completions === undefined ? done > 0 && running === 0 : done >= completions;
  if (!complete || (job.spec.suspend === true && running > 0)) return undefined;
  return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
}

type SuccessRule = NonNullable<Job['spec']['successPolicy']>['rules'][number];

/** All of the named indexes, or so many of them, or of all. */
function isEnough({ succeededIndexes, succeededCount }: SuccessRule, completed: ReadonlySet<number>): boolean {
  const named = succeededIndexes === undefined ? completed : parseIndexes(succeededIndexes);
  const done = [...named].filter((index) => completed.has(index)).length;
  return done >= (succeededCount ?? named.size) && done > 0;
}

/** The whole status; `verdict` becomes final when no pod runs and all are counted. */
export function statusOf(
  job: Job,
  pods: readonly Pod[],
  counts: Counts,
  verdict: Verdict | undefined,
  now: number,
): JobStatus {
  const active = pods.filter(isActive);
  const terminating = pods.filter(isTerminating).length;
  const { succeeded, failed, completed, uncounted } = counts;
  const waits = active.length + terminating + uncounted.succeeded.length + uncounted.failed.length > 0;
  const conditions = conditionsOf(job, verdict, !waits, now);
  const suspended = job.spec.suspend === true;
  return {
    active: active.length,
    ready: active.filter(isReady).length,
    terminating,
    succeeded,
    failed,
    uncountedTerminatedPods: uncounted,
    ...(isIndexed(job) ? { completedIndexes: formatIndexes(completed) } : {}),
    ...(countsPerIndex(job) ? { failedIndexes: formatIndexes(counts.failedIndexes) } : {}),
    ...(suspended ? {} : { startTime: job.status?.startTime ?? timestamp(now) }),
    ...(verdict?.type === 'Complete' && !waits ? { completionTime: timestamp(now) } : {}),
    conditions,
  };
}

function conditionsOf(job: Job, verdict: Verdict | undefined, final: boolean, now: number): Condition[] {
  const before = job.status?.conditions ?? [];
  const wanted: Condition[] = [];
  if (verdict !== undefined) {
    const { type, reason, message } = verdict;
    const target = type === 'Failed' ? 'FailureTarget' : 'SuccessCriteriaMet';
    for (const name of [target, ...(final ? [type] : [])]) wanted.push({ type: name, status: 'True', reason, message });
  } else if (job.spec.suspend === true) {
    wanted.push({ type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' });
  } else if (conditionOf(before, 'Suspended') !== undefined) {
    wanted.push({ type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' });
  }
  return merged(before, wanted, timestamp(now));
}

/** Conditions that say what they said keep their times. */
function merged(before: readonly Condition[], wanted: readonly Condition[], at: string): Condition[] {
  const kept = before.filter(({ type }) => !wanted.some((one) => one.type === type));
  const added = wanted.map((one) => {
    const old = conditionOf(before, one.type);
    return old?.status === one.status ? old : { ...one, lastProbeTime: at, lastTransitionTime: at };
  });
  return [...kept, ...added];
}

export function isFinished(job: Job): boolean {
  return ['Complete', 'Failed'].some((type) => conditionOf(job.status?.conditions, type)?.status === 'True');
}

/** Pods that hold a place: running ones, and where the Job wants so those that are still ending. */
export function holdingPlaces(job: Job, pods: readonly Pod[]): Pod[] {
  return pods.filter((pod) => isActive(pod) || (!replacesWhileTerminating(job) && isTerminating(pod)));
}
