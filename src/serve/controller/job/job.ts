/** Pods that run to their end, as many and as often as a Job wants (batch/v1 Job). */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { letGo, manage, notice, untrack } from '#serve/controller/job/manage.ts';
import { isTracked, TRACKING } from '#serve/controller/job/pods.ts';
import { countPods, deadlineIn, isFinished, statusOf, type Verdict, verdictOf } from '#serve/controller/job/status.ts';
import { claim, ownersOf, selectsAll } from '#serve/controller/workload/claim.ts';
import { statusWrites } from '#serve/controller/workload/status.ts';
import { timeOf, type World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING, sooner, type Write } from '#serve/controller/write.ts';
import { JOBS, type Job, type JobStatus } from '#spec/batch.ts';
import { conditionOf, controllerOf, PODS, type Pod } from '#spec/k8s.ts';

/** Jobs of others, by `spec.managedBy`, are left alone (KEP-4368). */
const MANAGER = 'kubernetes.io/job-controller';

export const jobController: Controller = {
  name: 'job',
  needs: [JOBS, PODS],
  keys: (world) => [...new Set([...world.of(JOBS).keys(), ...orphans(world)])],
  wake(resource, change, world) {
    if (isOf(JOBS, resource, change)) return [change.key];
    return isOf(PODS, resource, change) ? ownersOf(JOBS, change.object, world) : [];
  },
  decide(world, key) {
    const job = world.of(JOBS).get(key);
    const free = release(world, key, job);
    if (job === undefined || isLeaving(job) || free.length > 0) return decision(free);
    if (selectsAll(job) || (job.spec.managedBy ?? MANAGER) !== MANAGER) return NOTHING;
    const { owned, writes } = claim(JOBS, job, PODS, world);
    if (writes.length > 0) return decision(writes.map(tracked));
    return isFinished(job) ? afterwards(job, owned, world.now) : reconcile(job, owned, world.now);
  },
};

function isLeaving(job: Job): boolean {
  return job.metadata.deletionTimestamp !== undefined;
}

function reconcile(job: Job, pods: readonly Pod[], now: number): Decision {
  const counts = countPods(job, pods);
  const verdict = verdictOf(job, pods, counts, now);
  const status = statusOf(job, pods, counts, verdict, now);
  const managed = manage(job, pods, counts, verdict, now);
  const writes = [
    ...managed.writes,
    ...letGo(job, pods, counts, verdict),
    ...statusPatch(job, status),
    ...tell(job, status, verdict),
  ];
  const deadline = verdict === undefined ? deadlineIn(job, now) : undefined;
  return decision(writes, sooner(managed.againMs, deadline));
}

/** A suspended Job has no start: it is given a new one when it goes on. */
function statusPatch(job: Job, status: JobStatus): Write[] {
  const stops = status.startTime === undefined && job.status?.startTime !== undefined;
  return statusWrites(JOBS, job, stops ? { ...status, startTime: null } : status);
}

const EVENTS: Readonly<Record<string, { type: 'Normal' | 'Warning'; reason: string; message: string }>> = {
  'Suspended True': { type: 'Normal', reason: 'Suspended', message: 'Job suspended' },
  'Suspended False': { type: 'Normal', reason: 'Resumed', message: 'Job resumed' },
  'Complete True': { type: 'Normal', reason: 'Completed', message: 'Job completed' },
};

/** Events for conditions that are new. */
function tell(job: Job, { conditions = [] }: JobStatus, verdict: Verdict | undefined): Write[] {
  const fresh = conditions.filter(({ type, status }) => conditionOf(job.status?.conditions, type)?.status !== status);
  return fresh.flatMap(({ type, status }): Write[] => {
    const known = EVENTS[`${type} ${status}`];
    if (known !== undefined) return [{ verb: 'notice', notice: notice(job, known.type, known.reason, known.message) }];
    if (type !== 'Failed' || verdict === undefined) return [];
    return [{ verb: 'notice', notice: notice(job, 'Warning', verdict.reason, verdict.message) }];
  });
}

/** Of a Job that is over: the last finalizers go, and it itself after its time. */
function afterwards(job: Job, pods: readonly Pod[], now: number): Decision {
  const writes = pods.filter(isTracked).map(untrack);
  const { ttlSecondsAfterFinished } = job.spec;
  if (ttlSecondsAfterFinished === undefined) return decision(writes);
  const ended = conditionOf(job.status?.conditions, 'Complete') ?? conditionOf(job.status?.conditions, 'Failed');
  const leftMs = timeOf(ended?.lastTransitionTime) + ttlSecondsAfterFinished * 1000 - now;
  if (leftMs > 0) return decision(writes, leftMs);
  return decision([...writes, { verb: 'delete', resource: JOBS, object: job, propagationPolicy: 'Foreground' }]);
}

/** Keys of Jobs that pods still wait for. */
function orphans(world: World): string[] {
  return [...world.of(PODS).values()].filter(isTracked).flatMap((pod) => ownersOf(JOBS, pod, world));
}

/** Pods that wait for a Job that will never count them. */
function release(world: World, key: string, job: Job | undefined): Write[] {
  const alive = job !== undefined && !isLeaving(job) ? job.metadata.uid : undefined;
  const waiting = [...world.of(PODS).values()].filter((pod) => {
    const owner = controllerOf(pod);
    const ours = owner?.kind === JOBS.kind && `${pod.metadata.namespace}/${owner.name}` === key;
    return ours && isTracked(pod) && owner.uid !== alive;
  });
  return waiting.map(untrack);
}

/** What a Job adopts it also counts. */
function tracked(write: Write): Write {
  if (write.verb !== 'patch') return write;
  const { metadata } = write.base;
  const others = (metadata.finalizers ?? []).filter((name) => name !== TRACKING);
  const adopts = controllerOf(write.base) === undefined;
  const finalizers = adopts ? [...others, TRACKING] : others;
  return { ...write, patch: { metadata: { ...write.patch.metadata, finalizers } } };
}
