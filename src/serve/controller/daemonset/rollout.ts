/** Which pods of an old template may go now, so that never more than maxUnavailable nodes are without a ready one. */

import { isAvailable } from '#serve/controller/daemonset/availability.ts';
import type { Place } from '#serve/controller/daemonset/places.ts';
import { HASH_LABEL } from '#serve/controller/daemonset/pod.ts';
import type { DaemonSet, Pod } from '#spec/k8s.ts';

/** Old pods to delete. None with `OnDelete`: there people delete them. */
export function outdated(set: DaemonSet, places: readonly Place[], hash: string, now: number): Pod[] {
  if (set.spec.updateStrategy?.type === 'OnDelete') return [];
  const wanted = places.filter((place) => place.run);
  const living = wanted.map((place) => place.pods.filter((pod) => pod.metadata.deletionTimestamp === undefined));
  const unavailable = living.filter((pods) => !pods.some((pod) => isAvailable(set, pod, now))).length;
  const old = living.flatMap((pods) => pods.filter((pod) => pod.metadata.labels?.[HASH_LABEL] !== hash));
  // What serves nobody may go at once: its node counts as unavailable already.
  const idle = old.filter((pod) => !isAvailable(set, pod, now));
  const serving = old.filter((pod) => isAvailable(set, pod, now));
  return [...idle, ...serving.slice(0, Math.max(0, maxUnavailable(set, wanted.length) - unavailable))];
}

/** A number or a percentage of the nodes, rounded up; 1 if it is not said. */
export function maxUnavailable(set: DaemonSet, nodes: number): number {
  return shareOfNodes(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable, nodes, 1);
}

export function shareOfNodes(value: number | string | undefined, nodes: number, otherwise: number): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value ?? '')?.[1];
  return percent === undefined ? Number(value) || otherwise : Math.ceil((Number(percent) * nodes) / 100);
}
