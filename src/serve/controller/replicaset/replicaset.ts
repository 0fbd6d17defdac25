/** As many pods of a template as are wanted (apps/v1 ReplicaSet). */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { isReady } from '#serve/controller/daemonset/availability.ts';
import { matchesSelector } from '#serve/controller/match/labels.ts';
import { claim, ownersOf, selectsAll } from '#serve/controller/workload/claim.ts';
import { availableIn, inOrderOfDeletion, isActive, nextAvailable, podOf } from '#serve/controller/workload/pods.ts';
import { statusWrites } from '#serve/controller/workload/status.ts';
import { decision, NOTHING, type Notice, referenceTo, type Write } from '#serve/controller/write.ts';
import { PODS, type Pod } from '#spec/k8s.ts';
import { REPLICA_SETS, type ReplicaSet, type ReplicaSetStatus } from '#spec/workloads.ts';

/** Pods that one look makes or deletes at most. */
const BURST = 500;

export const replicaSetController: Controller = {
  name: 'replicaset',
  needs: [REPLICA_SETS, PODS],
  keys: (world) => [...world.of(REPLICA_SETS).keys()],
  wake(resource, change, world) {
    if (isOf(REPLICA_SETS, resource, change)) return [change.key];
    return isOf(PODS, resource, change) ? ownersOf(REPLICA_SETS, change.object, world) : [];
  },
  decide(world, key) {
    const set = world.of(REPLICA_SETS).get(key);
    if (set === undefined || set.metadata.deletionTimestamp !== undefined || selectsAll(set)) return NOTHING;
    const { owned, writes } = claim(REPLICA_SETS, set, PODS, world);
    if (writes.length > 0) return decision(writes);
    const active = owned.filter(isActive);
    const status = statusWrites(REPLICA_SETS, set, statusOf(set, active, world.now));
    const again = nextAvailable(active, set.spec.minReadySeconds ?? 0, world.now);
    return decision([...manage(set, active), ...status], again);
  },
};

function manage(set: ReplicaSet, active: readonly Pod[]): Write[] {
  const missing = (set.spec.replicas ?? 1) - active.length;
  if (missing > 0) return Array.from({ length: Math.min(missing, BURST) }, () => create(set));
  return inOrderOfDeletion(active)
    .slice(0, Math.min(-missing, BURST))
    .map((pod) => ({
      verb: 'delete',
      resource: PODS,
      object: pod,
      notice: notice(set, 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`),
    }));
}

function create(set: ReplicaSet): Write {
  const object = podOf(REPLICA_SETS, set, set.spec.template, { generateName: `${set.metadata.name}-` });
  const told = notice(set, 'SuccessfulCreate', 'Created pod: {name}');
  return { verb: 'create', resource: PODS, object, notice: told };
}

function notice(set: ReplicaSet, reason: string, message: string): Notice {
  return { about: referenceTo(REPLICA_SETS, set), type: 'Normal', reason, message, component: 'replicaset-controller' };
}

function statusOf(set: ReplicaSet, active: readonly Pod[], now: number): ReplicaSetStatus {
  const { template, minReadySeconds = 0 } = set.spec;
  const labels = { matchLabels: template.metadata?.labels ?? {} };
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => matchesSelector(labels, pod.metadata.labels)).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter((pod) => availableIn(pod, minReadySeconds, now) === 0).length,
    observedGeneration: set.metadata.generation ?? 1,
  };
}
