/** Pods of a workload: made from its template, counted, and ranked for deletion. */

import { isReady } from '#serve/controller/daemonset/availability.ts';
import { timeOf } from '#serve/controller/world.ts';
import { ownedBy, sooner } from '#serve/controller/write.ts';
import { conditionOf, type KubeObject, type Labels, type Pod, type PodTemplateSpec, type Resource } from '#spec/k8s.ts';

export interface PodNames {
  readonly name?: string;
  readonly generateName?: string;
}

/** A pod of this template, managed by `owner`; `labels` come on top of the template's. */
export function podOf(
  ownerKind: Resource<KubeObject>,
  owner: KubeObject,
  { metadata = {}, spec }: PodTemplateSpec,
  names: PodNames,
  labels: Labels = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...names,
      ...(owner.metadata.namespace === undefined ? {} : { namespace: owner.metadata.namespace }),
      labels: { ...metadata.labels, ...labels },
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ...(metadata.finalizers === undefined ? {} : { finalizers: metadata.finalizers }),
      ownerReferences: [ownedBy(ownerKind, owner)],
    },
    spec,
  };
}

export function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

/** It counts as one of the wanted pods: neither ended nor being deleted. */
export function isActive(pod: Pod): boolean {
  return !hasEnded(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** ms until it has been ready for `minReadySeconds`: 0 if it has, undefined if it is not ready. */
export function availableIn(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isReady(pod)) return undefined;
  const since = timeOf(conditionOf(pod.status?.conditions, 'Ready')?.lastTransitionTime);
  return minReadySeconds === 0 ? 0 : Math.max(0, since + minReadySeconds * 1000 - now);
}

/** When the next of these pods becomes available, ms from now. */
export function nextAvailable(pods: readonly Pod[], minReadySeconds: number, now: number): number | undefined {
  const waits = pods.filter(isActive).map((pod) => availableIn(pod, minReadySeconds, now));
  return waits.filter((wait) => wait !== undefined && wait > 0).reduce(sooner, undefined);
}

const COST = 'controller.kubernetes.io/pod-deletion-cost';

/**
 * Active pods in the order in which they are let go (Kubernetes "ReplicaSet" §Scaling): those without a node, pending
 * ones, ones that are not ready, cheap ones, those that share their node with most others, the younger ones.
 */
export function inOrderOfDeletion(pods: readonly Pod[]): Pod[] {
  const beside = Map.groupBy(pods, (pod) => pod.spec.nodeName ?? '');
  const rank = (pod: Pod): number[] => [
    pod.spec.nodeName ? 1 : 0,
    pod.status?.phase === 'Running' ? 1 : 0,
    isReady(pod) ? 1 : 0,
    Number(pod.metadata.annotations?.[COST] ?? 0) || 0,
    -(beside.get(pod.spec.nodeName ?? '')?.length ?? 0),
    -timeOf(conditionOf(pod.status?.conditions, 'Ready')?.lastTransitionTime),
    -timeOf(pod.metadata.creationTimestamp),
  ];
  const ranked = pods.map((pod) => ({ pod, rank: rank(pod) }));
  return ranked.sort((a, b) => compare(a.rank, b.rank) || byName(a.pod, b.pod)).map(({ pod }) => pod);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function byName(a: Pod, b: Pod): number {
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}
