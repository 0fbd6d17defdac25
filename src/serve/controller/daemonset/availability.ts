/** When a pod counts as ready, and as available: ready for minReadySeconds. */

import { timeOf } from '#serve/controller/world.ts';
import { conditionOf, type DaemonSet, type Pod } from '#spec/k8s.ts';

export function isReady(pod: Pod): boolean {
  return conditionOf(pod.status?.conditions, 'Ready')?.status === 'True';
}

/** ms from now until it is available: 0 if it is, undefined if it is not ready. */
export function availableIn(set: DaemonSet, pod: Pod, now: number): number | undefined {
  if (!isReady(pod) || pod.metadata.deletionTimestamp !== undefined) return undefined;
  const since = timeOf(conditionOf(pod.status?.conditions, 'Ready')?.lastTransitionTime);
  const wait = (set.spec.minReadySeconds ?? 0) * 1000;
  return wait === 0 ? 0 : Math.max(0, since + wait - now);
}

export function isAvailable(set: DaemonSet, pod: Pod, now: number): boolean {
  return availableIn(set, pod, now) === 0;
}
