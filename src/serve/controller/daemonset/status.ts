/** A DaemonSet's status: the numbers that `kubectl get daemonset` and `kubectl rollout status` print. */

import { isAvailable, isReady } from '#serve/controller/daemonset/availability.ts';
import type { Place } from '#serve/controller/daemonset/places.ts';
import { HASH_LABEL } from '#serve/controller/daemonset/pod.ts';
import type { Write } from '#serve/controller/write.ts';
import { DAEMON_SETS, type DaemonSet, type DaemonSetStatus } from '#spec/k8s.ts';

export function statusOf(set: DaemonSet, places: readonly Place[], hash: string, now: number): DaemonSetStatus {
  const wanted = places.filter((place) => place.run);
  // The oldest pod speaks for its node, as in Kubernetes: the others are about to go.
  const first = wanted.map((place) => place.pods[0]).filter((pod) => pod !== undefined);
  const available = first.filter((pod) => isAvailable(set, pod, now)).length;
  return {
    currentNumberScheduled: first.length,
    numberMisscheduled: places.filter((place) => !place.run && place.pods.length > 0).length,
    desiredNumberScheduled: wanted.length,
    numberReady: first.filter(isReady).length,
    observedGeneration: set.metadata.generation ?? 1,
    updatedNumberScheduled: first.filter((pod) => pod.metadata.labels?.[HASH_LABEL] === hash).length,
    numberAvailable: available,
    numberUnavailable: wanted.length - available,
  };
}

/** The write that brings the status there; none if it is there. */
export function statusWrites(set: DaemonSet, status: DaemonSetStatus): Write[] {
  const known: Readonly<Record<string, unknown>> = { ...set.status };
  const same = Object.entries(status).every(([key, value]) => (known[key] ?? 0) === value);
  if (same) return [];
  return [{ verb: 'patch', resource: DAEMON_SETS, base: set, patch: { status }, subresource: 'status' }];
}
