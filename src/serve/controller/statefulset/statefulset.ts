/** Pods with names that stay, `web-0`, `web-1`, …, started and ended in order (apps/v1 StatefulSet). */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { isReady } from '#serve/controller/daemonset/availability.ts';
import { claim, ownersOf, selectsAll } from '#serve/controller/workload/claim.ts';
import { availableIn, hasEnded, isActive, nextAvailable, podOf } from '#serve/controller/workload/pods.ts';
import {
  keepRevision,
  REVISION_LABEL,
  revisionsOf,
  surplus,
  templateOf,
  updateName,
} from '#serve/controller/workload/revisions.ts';
import { statusWrites } from '#serve/controller/workload/status.ts';
import { decision, NOTHING, type Notice, referenceTo, type Write } from '#serve/controller/write.ts';
import { PODS, type Pod } from '#spec/k8s.ts';
import {
  CONTROLLER_REVISIONS,
  type ControllerRevision,
  STATEFUL_SETS,
  type StatefulSet,
  type StatefulSetStatus,
} from '#spec/workloads.ts';

export const statefulSetController: Controller = {
  name: 'statefulset',
  needs: [STATEFUL_SETS, CONTROLLER_REVISIONS, PODS],
  keys: (world) => [...world.of(STATEFUL_SETS).keys()],
  wake(resource, change, world) {
    if (isOf(STATEFUL_SETS, resource, change)) return [change.key];
    if (isOf(PODS, resource, change) || isOf(CONTROLLER_REVISIONS, resource, change))
      return ownersOf(STATEFUL_SETS, change.object, world);
    return [];
  },
  decide(world, key) {
    const set = world.of(STATEFUL_SETS).get(key);
    if (set === undefined || set.metadata.deletionTimestamp !== undefined || selectsAll(set)) return NOTHING;
    const revisions = revisionsOf(STATEFUL_SETS, set, world);
    const { owned, writes } = claim(STATEFUL_SETS, set, PODS, world);
    const first = [...revisions.writes, ...writes, ...keepRevision(STATEFUL_SETS, set, revisions.owned)];
    // Pods are made of revisions that are stored.
    if (first.length > 0) return decision(first);
    const pods = owned.filter((pod) => ordinalOf(set, pod) !== undefined);
    const status = statusOf(set, pods, world.now);
    const live = new Set([status.currentRevision, status.updateRevision, ...pods.map(revisionOf)]);
    return decision(
      [
        ...manage(set, pods, revisions.owned, status, world.now),
        ...statusWrites(STATEFUL_SETS, set, status),
        ...surplus(set, revisions.owned, live),
      ],
      nextAvailable(pods, set.spec.minReadySeconds ?? 0, world.now),
    );
  },
};

function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const name = pod.metadata.name ?? '';
  const number = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^\d{1,9}$/.test(number) ? Number(number) : undefined;
}

function revisionOf(pod: Pod): string | undefined {
  return pod.metadata.labels?.[REVISION_LABEL];
}

function rangeOf({ spec }: StatefulSet): { readonly first: number; readonly end: number } {
  const first = spec.ordinals?.start ?? 0;
  return { first, end: first + (spec.replicas ?? 1) };
}

/** One step: missing pods from the lowest number, then what is too much and what is old from the highest. */
function manage(
  set: StatefulSet,
  pods: readonly Pod[],
  revisions: readonly ControllerRevision[],
  status: StatefulSetStatus,
  now: number,
): Write[] {
  const ordered = set.spec.podManagementPolicy !== 'Parallel';
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod) ?? 0, pod]));
  const { first, end } = rangeOf(set);
  const writes: Write[] = [];
  for (let ordinal = first; ordinal < end; ordinal++) {
    const step = startStep(set, byOrdinal.get(ordinal), ordinal, revisions, status);
    writes.push(...step);
    // In order: nothing else begins before this one is available.
    if (ordered && (step.length > 0 || !isHealthy(set, byOrdinal.get(ordinal), now))) {
      return byOrdinal.get(ordinal)?.metadata.deletionTimestamp === undefined && step.length === 0
        ? replaceBroken(set, byOrdinal.get(ordinal), ordinal)
        : writes;
    }
  }
  const surplusPods = [...byOrdinal].filter(([ordinal]) => ordinal < first || ordinal >= end).sort(([a], [b]) => b - a);
  const ending = surplusPods.some(([, pod]) => pod.metadata.deletionTimestamp !== undefined);
  const condemned = surplusPods.filter(([, pod]) => pod.metadata.deletionTimestamp === undefined);
  const shrink = ordered ? condemned.slice(0, ending ? 0 : 1) : condemned;
  writes.push(...shrink.map(([, pod]) => remove(set, pod)));
  if (writes.length > 0 || surplusPods.length > 0) return writes;
  return update(set, byOrdinal, now);
}

/** Makes a pod that is missing, and clears the way for one that ended. */
function startStep(
  set: StatefulSet,
  pod: Pod | undefined,
  ordinal: number,
  revisions: readonly ControllerRevision[],
  status: StatefulSetStatus,
): Write[] {
  if (pod === undefined) return [create(set, ordinal, revisions, status)];
  return hasEnded(pod) && pod.metadata.deletionTimestamp === undefined ? [remove(set, pod)] : [];
}

/** A pod of an old template that never became ready would block the rollout that mends it. */
function replaceBroken(set: StatefulSet, pod: Pod | undefined, ordinal: number): Write[] {
  if (pod === undefined || isReady(pod) || !isOld(set, pod, ordinal)) return [];
  return [remove(set, pod)];
}

function isHealthy(set: StatefulSet, pod: Pod | undefined, now: number): boolean {
  return pod !== undefined && isActive(pod) && availableIn(pod, set.spec.minReadySeconds ?? 0, now) === 0;
}

function isOld(set: StatefulSet, pod: Pod, ordinal: number): boolean {
  const { type = 'RollingUpdate', rollingUpdate } = set.spec.updateStrategy ?? {};
  if (type === 'OnDelete' || ordinal < (rollingUpdate?.partition ?? 0)) return false;
  return revisionOf(pod) !== updateName(set);
}

/** From the highest number down to the partition, one at a time, each waiting for the one before. */
function update(set: StatefulSet, pods: ReadonlyMap<number, Pod>, now: number): Write[] {
  for (const [ordinal, pod] of [...pods].sort(([a], [b]) => b - a)) {
    if (isOld(set, pod, ordinal)) return pod.metadata.deletionTimestamp === undefined ? [remove(set, pod)] : [];
    if (!isHealthy(set, pod, now)) return [];
  }
  return [];
}

function create(
  set: StatefulSet,
  ordinal: number,
  revisions: readonly ControllerRevision[],
  status: StatefulSetStatus,
): Write {
  const below = ordinal < (set.spec.updateStrategy?.rollingUpdate?.partition ?? 0);
  const revision = (below ? status.currentRevision : undefined) ?? updateName(set);
  const name = `${set.metadata.name}-${ordinal}`;
  const labels = {
    'statefulset.kubernetes.io/pod-name': name,
    'apps.kubernetes.io/pod-index': String(ordinal),
    [REVISION_LABEL]: revision,
  };
  const pod = podOf(STATEFUL_SETS, set, templateOf(set, revision, revisions), { name }, labels);
  const { serviceName } = set.spec;
  const spec = { ...pod.spec, hostname: name, ...(serviceName ? { subdomain: serviceName } : {}) };
  const message = `create Pod ${name} in StatefulSet ${set.metadata.name} successful`;
  return {
    verb: 'create',
    resource: PODS,
    object: { ...pod, spec } as Pod,
    notice: notice(set, 'SuccessfulCreate', message),
  };
}

function remove(set: StatefulSet, pod: Pod): Write {
  const message = `delete Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} successful`;
  return { verb: 'delete', resource: PODS, object: pod, notice: notice(set, 'SuccessfulDelete', message) };
}

function notice(set: StatefulSet, reason: string, message: string): Notice {
  return {
    about: referenceTo(STATEFUL_SETS, set),
    type: 'Normal',
    reason,
    message,
    component: 'statefulset-controller',
  };
}

function statusOf(set: StatefulSet, pods: readonly Pod[], now: number): StatefulSetStatus {
  const updateRevision = updateName(set);
  const active = pods.filter(isActive);
  const updated = active.filter((pod) => revisionOf(pod) === updateRevision);
  const whole = updated.length === (set.spec.replicas ?? 1) && updated.every(isReady) && pods.length === updated.length;
  const currentRevision = whole ? updateRevision : (set.status?.currentRevision ?? updateRevision);
  return {
    observedGeneration: set.metadata.generation ?? 1,
    replicas: pods.length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter((pod) => isHealthy(set, pod, now)).length,
    currentReplicas: active.filter((pod) => revisionOf(pod) === currentRevision).length,
    updatedReplicas: updated.length,
    currentRevision,
    updateRevision,
  };
}
