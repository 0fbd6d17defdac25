/** One ReplicaSet for each template that a Deployment had, and the way from one to the next (apps/v1 Deployment). */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import {
  currentRevision,
  newSet,
  REVISION,
  replicasOf,
  revisionOf,
  type Sets,
  setsOf,
  sizeAnnotations,
  sizeOf,
  takenAnnotations,
} from '#serve/controller/deployment/sets.ts';
import { isScaled, rollingSize, type Sizes, scaledSizes, shrinkOld } from '#serve/controller/deployment/sizes.ts';
import { deadlineIn, isComplete, statusOf } from '#serve/controller/deployment/status.ts';
import { claim, ownersOf, selectsAll } from '#serve/controller/workload/claim.ts';
import { hasEnded } from '#serve/controller/workload/pods.ts';
import { statusWrites } from '#serve/controller/workload/status.ts';
import type { World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING, type Notice, referenceTo, type Write } from '#serve/controller/write.ts';
import { controllerOf, keyOf, PODS, type Pod } from '#spec/k8s.ts';
import { DEPLOYMENTS, type Deployment, REPLICA_SETS, type ReplicaSet } from '#spec/workloads.ts';

export const deploymentController: Controller = {
  name: 'deployment',
  needs: [DEPLOYMENTS, REPLICA_SETS, PODS],
  keys: (world) => [...world.of(DEPLOYMENTS).keys()],
  wake(resource, change, world) {
    if (isOf(DEPLOYMENTS, resource, change)) return [change.key];
    if (isOf(REPLICA_SETS, resource, change)) return ownersOf(DEPLOYMENTS, change.object, world);
    // `Recreate` waits for the end of the old pods.
    if (isOf(PODS, resource, change) && (change.type === 'delete' || hasEnded(change.object)))
      return deploymentsOf(change.object, world);
    return [];
  },
  decide(world, key) {
    const deployment = world.of(DEPLOYMENTS).get(key);
    if (deployment === undefined || deployment.metadata.deletionTimestamp !== undefined) return NOTHING;
    if (selectsAll(deployment)) return NOTHING;
    const { owned, writes } = claim(DEPLOYMENTS, deployment, REPLICA_SETS, world);
    if (writes.length > 0) return decision(writes);
    return reconcile(deployment, setsOf(deployment, owned), world);
  },
};

function reconcile(deployment: Deployment, sets: Sets, world: World): Decision {
  const status = statusOf(deployment, sets, world.now);
  const steps = stepsOf(deployment, sets, world);
  const named = nameRevision(deployment, sets);
  // Both change the Deployment: the status comes with the next look, which the first one wakes.
  const said = named.length > 0 ? named : statusWrites(DEPLOYMENTS, deployment, { ...status, ...steps.status });
  const tidy = isComplete(deployment, status) ? surplus(deployment, sets) : [];
  return decision([...steps.writes, ...said, ...tidy], deadlineIn(deployment, status.conditions ?? [], world.now));
}

interface Steps {
  readonly writes: readonly Write[];
  /** What to say in the status beside the rest. */
  readonly status?: { readonly collisionCount: number };
}

function stepsOf(deployment: Deployment, sets: Sets, world: World): Steps {
  if (deployment.spec.paused === true || isScaled(deployment, sets))
    return { writes: resize(deployment, sets, scaledSizes(deployment, sets)) };
  if (deployment.spec.strategy?.type !== 'Recreate') return roll(deployment, sets, world);
  const stopped = new Map(sets.old.map((set) => [set, 0]));
  if (sets.old.some((set) => sizeOf(set) > 0) || podsRun(sets.old, world))
    return { writes: resize(deployment, { ...sets, current: undefined }, stopped) };
  return grow(deployment, sets, replicasOf(deployment), world);
}

function roll(deployment: Deployment, sets: Sets, world: World): Steps {
  const size = rollingSize(deployment, sets);
  // One step at a time: what is to be shrunk is decided when the larger set is seen.
  if (sets.current === undefined || size > sizeOf(sets.current)) return grow(deployment, sets, size, world);
  return { writes: resize(deployment, sets, new Map([[sets.current, size], ...shrinkOld(deployment, sets)])) };
}

/** Brings the current set to a size; makes it if it is not there. */
function grow(deployment: Deployment, sets: Sets, size: number, world: World): Steps {
  if (sets.current !== undefined) return { writes: resize(deployment, sets, new Map([[sets.current, size]])) };
  const object = newSet(deployment, size, currentRevision(sets));
  // A set of that name which is not ours, or not of this template: the next name.
  if (world.of(REPLICA_SETS).has(keyOf(object)))
    return { writes: [], status: { collisionCount: (deployment.status?.collisionCount ?? 0) + 1 } };
  const told = notice(deployment, `Scaled up replica set ${object.metadata.name} from 0 to ${size}`);
  return { writes: [{ verb: 'create', resource: REPLICA_SETS, object, ...(size > 0 ? { notice: told } : {}) }] };
}

/** Patches of the sets whose size or annotations are not as they should be. */
function resize(deployment: Deployment, sets: Sets, sizes: Sizes): Write[] {
  const all = sets.current === undefined ? sets.old : [...sets.old, sets.current];
  return all.flatMap((set) => {
    const size = sizes.get(set) ?? sizeOf(set);
    const annotations = {
      ...(size > 0 || set === sets.current ? sizeAnnotations(deployment) : {}),
      ...(set === sets.current ? currentAnnotations(deployment, sets) : {}),
    };
    const seconds = deployment.spec.minReadySeconds ?? 0;
    const spec = {
      ...(size === sizeOf(set) ? {} : { replicas: size }),
      ...(set === sets.current && seconds !== (set.spec.minReadySeconds ?? 0) ? { minReadySeconds: seconds } : {}),
    };
    const known = set.metadata.annotations ?? {};
    const same = Object.entries(annotations).every(([key, value]) => known[key] === value);
    if (same && Object.keys(spec).length === 0) return [];
    return [
      { verb: 'patch', resource: REPLICA_SETS, base: set, patch: { metadata: { annotations }, spec } },
      ...tellSize(deployment, set, size),
    ];
  });
}

function currentAnnotations(deployment: Deployment, sets: Sets) {
  return { ...takenAnnotations(deployment), [REVISION]: String(currentRevision(sets)) };
}

function tellSize(deployment: Deployment, set: ReplicaSet, size: number): Write[] {
  const before = sizeOf(set);
  if (size === before) return [];
  const way = size > before ? 'up' : 'down';
  const message = `Scaled ${way} replica set ${set.metadata.name} from ${before} to ${size}`;
  return [{ verb: 'notice', notice: notice(deployment, message) }];
}

function notice(deployment: Deployment, message: string): Notice {
  return {
    about: referenceTo(DEPLOYMENTS, deployment),
    type: 'Normal',
    reason: 'ScalingReplicaSet',
    message,
    component: 'deployment-controller',
  };
}

/** The Deployment carries the number of its revision. */
function nameRevision(deployment: Deployment, sets: Sets): Write[] {
  if (sets.current === undefined) return [];
  const revision = String(currentRevision(sets));
  if (deployment.metadata.annotations?.[REVISION] === revision) return [];
  const patch = { metadata: { annotations: { [REVISION]: revision } } };
  return [{ verb: 'patch', resource: DEPLOYMENTS, base: deployment, patch }];
}

/** Deletions of old sets beyond the history that is kept. */
function surplus(deployment: Deployment, { old }: Sets): Write[] {
  const kept = deployment.spec.revisionHistoryLimit ?? 10;
  const idle = old.filter((set) => sizeOf(set) === 0 && (set.status?.replicas ?? 0) === 0);
  const sorted = idle.sort((a, b) => revisionOf(a) - revisionOf(b));
  return sorted
    .slice(0, Math.max(0, old.length - kept))
    .map((object) => ({ verb: 'delete', resource: REPLICA_SETS, object, propagationPolicy: 'Background' }));
}

function podsRun(sets: readonly ReplicaSet[], world: World): boolean {
  const owners = new Set(sets.map((set) => set.metadata.uid));
  if (owners.size === 0) return false;
  return world
    .of(PODS)
    .values()
    .some((pod) => owners.has(controllerOf(pod)?.uid) && !hasEnded(pod));
}

function deploymentsOf(pod: Pod, world: World): string[] {
  const owner = controllerOf(pod);
  if (owner?.kind !== REPLICA_SETS.kind) return [];
  const set = world.of(REPLICA_SETS).get(`${pod.metadata.namespace}/${owner.name}`);
  return set === undefined ? [] : ownersOf(DEPLOYMENTS, set, world);
}
