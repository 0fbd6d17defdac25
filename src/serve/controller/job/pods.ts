/** Pods of a Job: which of them run, have ended, wait to be counted, and at which index they stand. */

import { hasEnded } from '#serve/controller/workload/pods.ts';
import type { Job } from '#spec/batch.ts';
import type { Pod } from '#spec/k8s.ts';

/** Holds a pod that has ended until its Job has counted it (KEP-2307). */
export const TRACKING = 'batch.kubernetes.io/job-tracking';
/** Annotation and label of a pod: its index (KEP-2214). */
export const INDEX = 'batch.kubernetes.io/job-completion-index';

export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(TRACKING) === true;
}

export function isIndexed(job: Job): boolean {
  return job.spec.completionMode === 'Indexed';
}

/** Undefined if it has none that this Job knows. */
export function indexOf(job: Job, pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[INDEX] ?? '';
  const index = /^\d+$/.test(text) ? Number(text) : -1;
  return index >= 0 && index < (job.spec.completions ?? 0) ? index : undefined;
}

/** It is to be counted: it has ended, or is being deleted and counts as failed whatever becomes of it. */
export function toBeCounted(job: Job, pod: Pod): 'succeeded' | 'failed' | undefined {
  if (!isTracked(pod) || (isIndexed(job) && indexOf(job, pod) === undefined)) return undefined;
  if (pod.status?.phase === 'Succeeded') return 'succeeded';
  if (pod.status?.phase === 'Failed') return 'failed';
  const leaves = pod.metadata.deletionTimestamp !== undefined;
  return leaves && replacesWhileTerminating(job) ? 'failed' : undefined;
}

/** Whether a pod that is still ending has its successor already. */
export function replacesWhileTerminating(job: Job): boolean {
  return job.spec.podFailurePolicy === undefined && job.spec.podReplacementPolicy !== 'Failed';
}

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && !hasEnded(pod);
}

/** The times at which its containers ended, the last of them; 0 if none says. ms since 1970. */
export function endedAt(pod: Pod): number {
  const times = (pod.status?.containerStatuses ?? []).map((s) => Date.parse(s.state?.terminated?.finishedAt ?? ''));
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length > 0 ? Math.max(...known) : Date.parse(pod.metadata.creationTimestamp ?? '') || 0;
}

/** How often containers of pods that go on running were started again. */
export function restartsOf(pods: readonly Pod[]): number {
  const statuses = pods.flatMap((pod) => [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ]);
  return statuses.reduce((sum, status) => sum + (status.restartCount ?? 0), 0);
}
