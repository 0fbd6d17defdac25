/** Failures counted for each index of a Job by itself (KEP-3850). */

import { judge } from '#serve/controller/job/failure-policy.ts';
import { parseIndexes } from '#serve/controller/job/indexes.ts';
import { endedAt, indexOf, toBeCounted } from '#serve/controller/job/pods.ts';
import type { Job } from '#spec/batch.ts';
import type { Pod } from '#spec/k8s.ts';

/** Annotation of a pod: how often its index had failed when it was made. */
export const FAILURES = 'batch.kubernetes.io/job-index-failure-count';

export function countsPerIndex(job: Job): boolean {
  return job.spec.backoffLimitPerIndex !== undefined;
}

function failuresBefore(pod: Pod): number {
  return Number.parseInt(pod.metadata.annotations?.[FAILURES] ?? '0', 10) || 0;
}

function hasFailed(job: Job, pod: Pod): boolean {
  return pod.status?.phase === 'Failed' && judge(job, pod)?.action !== 'Ignore';
}

function at(job: Job, pods: readonly Pod[], index: number): Pod[] {
  return pods.filter((pod) => indexOf(job, pod) === index);
}

/** How often an index has failed, by the pods that are still there. */
export function failuresAt(job: Job, pods: readonly Pod[], index: number): number {
  const counts = at(job, pods, index).map((pod) => failuresBefore(pod) + (hasFailed(job, pod) ? 1 : 0));
  return Math.max(0, ...counts);
}

/** When an index last failed, ms since 1970; 0: never. */
export function lastFailureAt(job: Job, pods: readonly Pod[], index: number): number {
  return Math.max(
    0,
    ...at(job, pods, index)
      .filter((pod) => hasFailed(job, pod))
      .map(endedAt),
  );
}

/** Indexes that have failed for good: those that were known, and those whose pods failed once too often, or by a rule. */
export function failedIndexes(job: Job, pods: readonly Pod[], completed: ReadonlySet<number>): Set<number> {
  const limit = job.spec.backoffLimitPerIndex;
  if (limit === undefined) return new Set();
  const inRange = (index: number) => index < (job.spec.completions ?? 0) && !completed.has(index);
  const now = pods.filter((pod) => {
    if (toBeCounted(job, pod) !== 'failed' || !hasFailed(job, pod)) return false;
    return judge(job, pod)?.action === 'FailIndex' || failuresBefore(pod) >= limit;
  });
  const found = [...parseIndexes(job.status?.failedIndexes), ...now.map((pod) => indexOf(job, pod) ?? -1)];
  return new Set(found.filter((index) => index >= 0 && inRange(index)));
}

/** Whether a pod alone still says how often its index has failed: it is kept until its successor says so. */
export function bearsCount(job: Job, pods: readonly Pod[], pod: Pod): boolean {
  const index = indexOf(job, pod);
  if (index === undefined) return false;
  const own = failuresBefore(pod) + (hasFailed(job, pod) ? 1 : 0);
  return !at(job, pods, index).some((other) => other !== pod && failuresBefore(other) >= own);
}
