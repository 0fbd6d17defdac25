/** How many pods each ReplicaSet of a Deployment should have now: one step of a rollout, or a change of replicas. */

import { DESIRED, limitsOf, MAXIMUM, replicasOf, type Sets, sizeOf, sum } from '#serve/controller/deployment/sets.ts';
import type { Deployment, ReplicaSet } from '#spec/workloads.ts';

/** Wanted sizes of sets; one that is not in it stays as it is. */
export type Sizes = ReadonlyMap<ReplicaSet, number>;

/** The size of the current set in a rolling update: as large as the surge lets it be. */
export function rollingSize(deployment: Deployment, { current, old }: Sets): number {
  const wanted = replicasOf(deployment);
  const size = sizeOf(current);
  if (size >= wanted) return wanted;
  const room = wanted + limitsOf(deployment).surge - sum(old, sizeOf) - size;
  return room <= 0 ? size : Math.min(wanted, size + room);
}

/** Sizes of the old sets: what serves nobody goes first, then as many as may be unavailable. */
export function shrinkOld(deployment: Deployment, { current, old }: Sets): Sizes {
  const all = current === undefined ? old : [...old, current];
  const least = replicasOf(deployment) - limitsOf(deployment).unavailable;
  const starting = Math.max(0, sizeOf(current) - (current?.status?.availableReplicas ?? 0));
  const mayGo = sum(all, sizeOf) - least - starting;
  const sizes = new Map(old.map((set) => [set, sizeOf(set)]));
  if (mayGo <= 0) return sizes;
  const broken = take(sizes, old, mayGo, (set) => sizeOf(set) - (set.status?.availableReplicas ?? 0));
  const available = sum(all, (set) => set.status?.availableReplicas) - least;
  take(sizes, old, Math.min(mayGo - broken, available), (set) => sizes.get(set) ?? 0);
  return sizes;
}

/** Takes up to `most` pods from the sets, at most `from(set)` of each. Answers how many it took. */
function take(
  sizes: Map<ReplicaSet, number>,
  sets: readonly ReplicaSet[],
  most: number,
  from: (set: ReplicaSet) => number,
): number {
  let taken = 0;
  for (const set of sets) {
    const size = sizes.get(set) ?? 0;
    const count = Math.max(0, Math.min(size, most - taken, from(set)));
    sizes.set(set, size - count);
    taken += count;
  }
  return taken;
}

/** Whether the Deployment's replicas were changed since its sets got their sizes. */
export function isScaled(deployment: Deployment, { current, old }: Sets): boolean {
  const active = [...old, ...(current === undefined ? [] : [current])].filter((set) => sizeOf(set) > 0);
  return active.some((set) => {
    const said = set.metadata.annotations?.[DESIRED];
    return said !== undefined && said !== String(replicasOf(deployment));
  });
}

/** Sizes after a change of replicas; in the middle of a rollout every set gets its share. */
export function scaledSizes(deployment: Deployment, sets: Sets): Sizes {
  const wanted = replicasOf(deployment);
  const all = [...sets.old, ...(sets.current === undefined ? [] : [sets.current])];
  const active = all.filter((set) => sizeOf(set) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? sets.current ?? all.at(-1);
    return new Map(only === undefined ? [] : [[only, wanted]]);
  }
  const { current } = sets;
  if (current !== undefined && sizeOf(current) === wanted && current.status?.availableReplicas === wanted)
    return new Map(sets.old.map((set) => [set, 0]));
  if (deployment.spec.strategy?.type === 'Recreate') return new Map();
  return shares(deployment, active);
}

function shares(deployment: Deployment, active: readonly ReplicaSet[]): Sizes {
  const wanted = replicasOf(deployment);
  const most = wanted === 0 ? 0 : wanted + limitsOf(deployment).surge;
  const change = most - sum(active, sizeOf);
  const sorted = [...active].sort((a, b) => sizeOf(b) - sizeOf(a));
  const sizes = new Map<ReplicaSet, number>();
  let left = change;
  for (const set of sorted) {
    const share = shareOf(set, wanted, most);
    const part = change > 0 ? Math.max(0, Math.min(share, left)) : Math.min(0, Math.max(share, left));
    sizes.set(set, sizeOf(set) + part);
    left -= part;
  }
  const [largest] = sorted;
  // What rounding left over goes to the largest.
  if (largest !== undefined) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + left));
  return sizes;
}

function shareOf(set: ReplicaSet, wanted: number, most: number): number {
  if (wanted === 0) return -sizeOf(set);
  const before = Number(set.metadata.annotations?.[MAXIMUM] ?? 0) || most;
  return Math.round((sizeOf(set) * most) / before) - sizeOf(set);
}
