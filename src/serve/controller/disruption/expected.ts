/** How many pods a budget counts with, and how many of them must be healthy (Kubernetes "Specifying a Disruption Budget"). */

import type { World } from '#serve/controller/world.ts';
import type { PodDisruptionBudget } from '#spec/disruption.ts';
import { controllerOf, type KubeObject, type Pod, type Resource } from '#spec/k8s.ts';
import { DEPLOYMENTS, REPLICA_SETS, type Share, STATEFUL_SETS } from '#spec/workloads.ts';

export interface Expected {
  readonly pods: number;
  readonly healthy: number;
}

interface Scaled extends KubeObject {
  readonly spec: { readonly replicas?: number };
}

/** Kinds whose replicas say how many pods there should be. */
const SCALED: readonly Resource<Scaled>[] = [REPLICA_SETS, STATEFUL_SETS];

/** Undefined: a share of pods that nothing keeps cannot be said. */
export function expectedOf(budget: PodDisruptionBudget, pods: readonly Pod[], world: World): Expected | undefined {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  if (maxUnavailable === undefined && typeof minAvailable === 'number')
    return { pods: pods.length, healthy: minAvailable };
  const wanted = wantedOf(pods, world);
  if (wanted === undefined) return undefined;
  const least = maxUnavailable === undefined ? shareOf(minAvailable, wanted) : wanted - shareOf(maxUnavailable, wanted);
  return { pods: wanted, healthy: Math.max(0, least) };
}

/** Percentages are rounded up: of both, the one that keeps more and the one that lets more go. */
function shareOf(share: Share | undefined, of: number): number {
  if (typeof share !== 'string') return share ?? 0;
  return Math.ceil((Number.parseInt(share, 10) * of) / 100);
}

/** The replicas of all that keep these pods, each counted once. */
function wantedOf(pods: readonly Pod[], world: World): number | undefined {
  const keepers = new Map<string, number>();
  for (const pod of pods) {
    const keeper = keeperOf(pod, world);
    if (keeper === undefined) return undefined;
    keepers.set(keeper.metadata.uid ?? '', keeper.spec.replicas ?? 1);
  }
  return [...keepers.values()].reduce((sum, replicas) => sum + replicas, 0);
}

/** A Deployment stands for the ReplicaSets that it keeps. */
function keeperOf(pod: Pod, world: World): Scaled | undefined {
  const set = SCALED.map((kind) => managerOf(pod, kind, world)).find((found) => found !== undefined);
  return set === undefined ? undefined : (managerOf(set, DEPLOYMENTS, world) ?? set);
}

function managerOf<T extends KubeObject>(object: KubeObject, kind: Resource<T>, world: World): T | undefined {
  const owner = controllerOf(object);
  if (owner?.kind !== kind.kind) return undefined;
  const found = world.of(kind).get(`${object.metadata.namespace}/${owner.name}`);
  return found?.metadata.uid === owner.uid ? found : undefined;
}
