/** A Deployment's status: the numbers and conditions that `kubectl rollout status` and `kubectl wait` look at. */

import {
  currentRevision,
  limitsOf,
  newSet,
  replicasOf,
  revisionOf,
  type Sets,
  sizeOf,
  sum,
} from '#serve/controller/deployment/sets.ts';
import { timeOf, timestamp } from '#serve/controller/world.ts';
import { conditionOf } from '#spec/k8s.ts';
import type { Deployment, DeploymentCondition, DeploymentStatus } from '#spec/workloads.ts';

type Counts = Required<Pick<DeploymentStatus, 'replicas' | 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'>>;

export function statusOf(deployment: Deployment, sets: Sets, now: number): DeploymentStatus {
  const { current, old } = sets;
  const all = current === undefined ? old : [...old, current];
  const counts = {
    replicas: sum(all, (set) => set.status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(all, (set) => set.status?.readyReplicas),
    availableReplicas: sum(all, (set) => set.status?.availableReplicas),
  };
  return {
    observedGeneration: deployment.metadata.generation ?? 1,
    ...counts,
    unavailableReplicas: Math.max(0, sum(all, sizeOf) - counts.availableReplicas),
    conditions: conditionsOf(deployment, sets, counts, now),
  };
}

/** Everything that is wanted is there, of the newest template, and available; nothing else is. */
export function isComplete(deployment: Deployment, counts: DeploymentStatus): boolean {
  const wanted = replicasOf(deployment);
  return [counts.replicas, counts.updatedReplicas, counts.availableReplicas].every((count) => count === wanted);
}

/** ms from now until the rollout counts as stuck; undefined if it does not go on, or has no such limit. */
export function deadlineIn(deployment: Deployment, conditions: readonly DeploymentCondition[], now: number) {
  const known = conditions.find((one) => one.type === 'Progressing');
  const { progressDeadlineSeconds, paused } = deployment.spec;
  if (known === undefined || progressDeadlineSeconds === undefined || paused === true) return undefined;
  if (known.reason === 'NewReplicaSetAvailable' || known.status === 'False') return undefined;
  // Times are whole seconds: it counts as stuck when one more has begun.
  return timeOf(known.lastUpdateTime) + (progressDeadlineSeconds + 1) * 1000 - now;
}

function conditionsOf(deployment: Deployment, sets: Sets, counts: Counts, now: number): DeploymentCondition[] {
  const enough = counts.availableReplicas >= replicasOf(deployment) - limitsOf(deployment).unavailable;
  const available = enough
    ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
    : condition('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.');
  const progressing = progressOf(deployment, sets, counts, now);
  const known = deployment.status?.conditions ?? [];
  const others = known.filter((one) => one.type !== 'Available' && one.type !== 'Progressing');
  const said = [available, ...(progressing === undefined ? [] : [progressing])];
  return [...others, ...said.map((one) => stamped(one, known, now, one === progressing && moved(deployment, counts)))];
}

function condition(
  type: string,
  status: DeploymentCondition['status'],
  reason: string,
  message: string,
): DeploymentCondition {
  return { type, status, reason, message };
}

/** Keeps the times of what is as it was; `fresh` says that something has happened since. */
function stamped(
  one: DeploymentCondition,
  known: readonly DeploymentCondition[],
  now: number,
  fresh: boolean,
): DeploymentCondition {
  const before = known.find((other) => other.type === one.type);
  const time = timestamp(now);
  const same = before?.status === one.status && before.reason === one.reason;
  const lastUpdateTime =
    same && !(fresh && one.reason === 'ReplicaSetUpdated') ? (before.lastUpdateTime ?? time) : time;
  const lastTransitionTime = before?.status === one.status ? (before.lastTransitionTime ?? time) : time;
  const message = same && before.message !== undefined ? before.message : (one.message ?? '');
  return {
    ...one,
    message: one.type === 'Progressing' ? (one.message ?? '') : message,
    lastUpdateTime,
    lastTransitionTime,
  };
}

/** The condition Progressing; undefined while nobody asked for a deadline and none is known. */
function progressOf(deployment: Deployment, sets: Sets, counts: Counts, now: number): DeploymentCondition | undefined {
  const known = conditionOf(deployment.status?.conditions, 'Progressing');
  const { progressDeadlineSeconds, paused } = deployment.spec;
  if (progressDeadlineSeconds === undefined) return undefined;
  if (paused === true && known?.reason !== 'ProgressDeadlineExceeded')
    return condition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused');
  const { current } = sets;
  const name = current?.metadata.name ?? newSet(deployment, 0, 0).metadata.name;
  if (current === undefined)
    return condition('Progressing', 'True', 'NewReplicaSetCreated', `Created new replica set "${name}"`);
  if (revisionOf(current) < currentRevision(sets))
    return condition('Progressing', 'True', 'FoundNewReplicaSet', `Found new replica set "${name}"`);
  if (isComplete(deployment, counts) || isDone(known?.reason, counts))
    return condition(
      'Progressing',
      'True',
      'NewReplicaSetAvailable',
      `ReplicaSet "${name}" has successfully progressed.`,
    );
  if (known?.reason === 'DeploymentPaused')
    return condition('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed');
  if (known === undefined || moved(deployment, counts))
    return condition('Progressing', 'True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`);
  const wait = deadlineIn(deployment, deployment.status?.conditions ?? [], now);
  if (wait === undefined || wait > 0) return known;
  return condition(
    'Progressing',
    'False',
    'ProgressDeadlineExceeded',
    `ReplicaSet "${name}" has timed out progressing.`,
  );
}

/** A rollout that has ended stays so while pods come and go. */
function isDone(reason: string | undefined, { replicas, updatedReplicas }: Counts): boolean {
  return reason === 'NewReplicaSetAvailable' && replicas === updatedReplicas;
}

/** Something came nearer to what is wanted since the last look. */
function moved({ status = {} }: Deployment, now: Counts): boolean {
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  return (
    now.updatedReplicas > updatedReplicas ||
    now.replicas - now.updatedReplicas < replicas - updatedReplicas ||
    now.readyReplicas > readyReplicas ||
    now.availableReplicas > availableReplicas
  );
}
