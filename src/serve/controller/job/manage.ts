/** Making and ending a Job's pods so that as many run as it wants. */

import { judge } from '#serve/controller/job/failure-policy.ts';
import {
  bearsCount,
  countsPerIndex,
  FAILURES,
  failuresAt,
  lastFailureAt,
} from '#serve/controller/job/index-failures.ts';
import { parseIndexes } from '#serve/controller/job/indexes.ts';
import { endedAt, INDEX, indexOf, isIndexed, isTracked, TRACKING, toBeCounted } from '#serve/controller/job/pods.ts';
import { type Counts, holdingPlaces, totalSucceeded, type Verdict } from '#serve/controller/job/status.ts';
import { inOrderOfDeletion, isActive, podOf } from '#serve/controller/workload/pods.ts';
import { type Decision, decision, type Notice, referenceTo, type Write } from '#serve/controller/write.ts';
import { JOBS, type Job } from '#spec/batch.ts';
import { type Container, PODS, type Pod, type PodTemplateSpec } from '#spec/k8s.ts';

/** Pods that one look makes at most. */
const BURST = 500;
/** After the first failure, ms; doubled by each more, up to the second (Kubernetes "Jobs" §Pod backoff failure policy). */
const BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 360_000;

export function notice(job: Job, type: Notice['type'], reason: string, message: string): Notice {
  return { about: referenceTo(JOBS, job), type, reason, message, component: 'job-controller' };
}

/** The finalizer goes from pods whose end the API has noted, and from those that are not counted at all. */
export function letGo(job: Job, pods: readonly Pod[], counts: Counts, verdict: Verdict | undefined): Write[] {
  const { uncountedTerminatedPods: noted = {}, completedIndexes } = job.status ?? {};
  const uids = new Set([...(noted.succeeded ?? []), ...(noted.failed ?? [])]);
  const indexes = parseIndexes(completedIndexes);
  const isNoted = (pod: Pod): boolean => {
    const how = toBeCounted(job, pod);
    if (how === undefined) return !isActive(pod) && isIndexed(job) && indexOf(job, pod) === undefined;
    if (how === 'succeeded' && isIndexed(job)) return indexes.has(indexOf(job, pod) ?? -1);
    return uids.has(pod.metadata.uid ?? '') || judge(job, pod)?.action === 'Ignore';
  };
  const isKept = (pod: Pod): boolean => {
    if (verdict !== undefined || !countsPerIndex(job) || pod.status?.phase !== 'Failed') return false;
    const index = indexOf(job, pod) ?? -1;
    const open = index >= 0 && !counts.completed.has(index) && !counts.failedIndexes.has(index);
    return open && bearsCount(job, pods, pod);
  };
  return pods.filter((pod) => isTracked(pod) && isNoted(pod) && !isKept(pod)).map(untrack);
}

export function untrack(pod: Pod): Write {
  const finalizers = (pod.metadata.finalizers ?? []).filter((name) => name !== TRACKING);
  return { verb: 'patch', resource: PODS, base: pod, patch: { metadata: { finalizers } } };
}

/** What is done about running pods, and when the next may be made. */
export function manage(
  job: Job,
  pods: readonly Pod[],
  counts: Counts,
  verdict: Verdict | undefined,
  now: number,
): Decision {
  const active = pods.filter(isActive);
  if (verdict?.type === 'Failed') return decision(active.map((pod) => remove(job, pod)));
  // Pods that lost their finalizer while they ran were to be ended without being counted.
  const doomed = active.filter((pod) => !isTracked(pod)).map((pod) => remove(job, pod));
  if (doomed.length > 0) return decision(doomed);
  const wanted = verdict !== undefined || job.spec.suspend === true ? 0 : wantedActive(job, counts, active.length);
  const excess = excessOf(job, active, counts, wanted);
  if (excess.length > 0) return decision(excess.map(untrack));
  const missing = Math.min(wanted - holdingPlaces(job, pods).length, BURST);
  if (missing <= 0) return decision([]);
  if (countsPerIndex(job)) return createWhenDue(job, pods, counts, missing, now);
  const waitMs = backoffIn(pods, now);
  return waitMs > 0 ? decision([], waitMs) : decision(create(job, pods, freeIndexes(job, pods, counts), missing));
}

/** Each index waits for itself. */
function createWhenDue(job: Job, pods: readonly Pod[], counts: Counts, missing: number, now: number): Decision {
  const waits = freeIndexes(job, pods, counts).map((index) => {
    const failures = failuresAt(job, pods, index);
    const since = lastFailureAt(job, pods, index);
    return { index, ms: failures === 0 ? 0 : Math.max(0, since + backoffAfter(failures) - now) };
  });
  const due = waits.filter(({ ms }) => ms === 0).map(({ index }) => index);
  const later = waits.filter(({ ms }) => ms > 0).map(({ ms }) => ms);
  const writes = create(job, pods, due, missing);
  return later.length > 0 && due.length < missing ? decision(writes, Math.min(...later)) : decision(writes);
}

function backoffAfter(failures: number): number {
  return Math.min(BACKOFF_MS * 2 ** (failures - 1), LONGEST_BACKOFF_MS);
}

function wantedActive(job: Job, counts: Counts, running: number): number {
  const { completions, parallelism = 1 } = job.spec;
  const done = totalSucceeded(job, counts);
  // Of a work queue, once a pod has succeeded, no more are started.
  if (completions === undefined) return done > 0 ? Math.min(parallelism, running) : parallelism;
  return Math.max(0, Math.min(parallelism, completions - done - counts.failedIndexes.size));
}

/** More than are wanted, at indexes that are done or nobody's, or two at one index. */
function excessOf(job: Job, active: readonly Pod[], counts: Counts, wanted: number): Pod[] {
  const seen = new Set<number>();
  const misplaced = isIndexed(job) ? active.filter((pod) => !takesIndex(job, pod, counts, seen)) : [];
  const others = inOrderOfDeletion(active.filter((pod) => !misplaced.includes(pod)));
  return [...misplaced, ...others.slice(0, Math.max(0, others.length - wanted))];
}

function isOver(counts: Counts, index: number): boolean {
  return counts.completed.has(index) || counts.failedIndexes.has(index);
}

function takesIndex(job: Job, pod: Pod, counts: Counts, seen: Set<number>): boolean {
  const index = indexOf(job, pod);
  if (index === undefined || isOver(counts, index) || seen.has(index)) return false;
  seen.add(index);
  return true;
}

function remove(job: Job, pod: Pod): Write {
  const told = notice(job, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
  return { verb: 'delete', resource: PODS, object: pod, notice: told };
}

/** ms until the next pod may start after those that failed since one last succeeded. */
function backoffIn(pods: readonly Pod[], now: number): number {
  const of = (phase: string) => pods.filter((pod) => pod.status?.phase === phase).map(endedAt);
  const lastSuccess = Math.max(0, ...of('Succeeded'));
  const failures = of('Failed').filter((at) => at > lastSuccess);
  if (failures.length === 0) return 0;
  return Math.max(0, Math.max(...failures) + backoffAfter(failures.length) - now);
}

/** Indexes at which no pod is and none is wanted no more, ascending. Of a Job without indexes: none. */
function freeIndexes(job: Job, pods: readonly Pod[], counts: Counts): number[] {
  if (!isIndexed(job)) return [];
  const taken = new Set(holdingPlaces(job, pods).map((pod) => indexOf(job, pod)));
  const all = Array.from({ length: job.spec.completions ?? 0 }, (_, index) => index);
  return all.filter((index) => !taken.has(index) && !isOver(counts, index));
}

/** As many as are missing; of an Indexed Job at the first of these indexes. */
function create(job: Job, pods: readonly Pod[], indexes: readonly number[], missing: number): Write[] {
  const told = notice(job, 'Normal', 'SuccessfulCreate', 'Created pod: {name}');
  const name = job.metadata.name ?? '';
  const make = (template: PodTemplateSpec, generateName: string, index?: number): Write => {
    const pod = podOf(JOBS, job, template, { generateName }, index === undefined ? {} : { [INDEX]: `${index}` });
    const { finalizers = [], annotations } = pod.metadata;
    const failures =
      index !== undefined && countsPerIndex(job) ? { [FAILURES]: `${failuresAt(job, pods, index)}` } : {};
    const indexed = index === undefined ? {} : { annotations: { ...annotations, [INDEX]: `${index}`, ...failures } };
    const metadata = { ...pod.metadata, ...indexed, finalizers: [...finalizers, TRACKING] };
    return { verb: 'create', resource: PODS, object: { ...pod, metadata }, notice: told };
  };
  if (!isIndexed(job)) return Array.from({ length: missing }, () => make(job.spec.template, `${name}-`));
  return indexes.slice(0, missing).map((index) => make(atIndex(job, index), `${name}-${index}-`, index));
}

/** The template with its hostname and its index in the environment. */
function atIndex(job: Job, index: number): PodTemplateSpec {
  const { metadata, spec } = job.spec.template;
  const fieldRef = { apiVersion: 'v1', fieldPath: `metadata.labels['${INDEX}']` };
  const variable = { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef } };
  const told = (container: Container): Container => ({ ...container, env: [...(container.env ?? []), variable] });
  return {
    ...(metadata === undefined ? {} : { metadata }),
    spec: {
      ...spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: spec.containers.map(told),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(told) }),
    },
  };
}
