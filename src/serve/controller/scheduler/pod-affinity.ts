/** Pods that want to be near one another or apart: required and preferred pod (anti-)affinity. */

import { matchesSelector } from '#serve/controller/match/labels.ts';
import type { NodeUse } from '#serve/controller/scheduler/usage.ts';
import type { World } from '#serve/controller/world.ts';
import {
  type LabelSelector,
  type Labels,
  NAMESPACES,
  type Pod,
  type PodAffinity,
  type PodAffinityTerm,
} from '#spec/k8s.ts';

/** Labels of namespaces, for terms that select namespaces. */
export type NamespaceLabels = (namespace: string) => Labels;

export function namespaceLabels(world: World): NamespaceLabels {
  return (namespace) => world.of(NAMESPACES).get(namespace)?.metadata.labels ?? {};
}

export function required(affinity: PodAffinity | undefined): readonly PodAffinityTerm[] {
  return affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}

/** Does `other` belong to those that a term of `pod` speaks of? */
export function concerns(term: PodAffinityTerm, pod: Pod, other: Pod, labels: NamespaceLabels): boolean {
  const { namespaces = [], namespaceSelector } = term;
  const space = other.metadata.namespace ?? '';
  const own = namespaces.length === 0 && namespaceSelector === undefined && space === pod.metadata.namespace;
  const selected = namespaceSelector !== undefined && matchesSelector(namespaceSelector, labels(space));
  if (!own && !selected && !namespaces.includes(space)) return false;
  const narrowed = withLabelKeys(term.labelSelector, term.matchLabelKeys, 'In', pod);
  return matchesSelector(withLabelKeys(narrowed, term.mismatchLabelKeys, 'NotIn', pod), other.metadata.labels);
}

/** The selector, narrowed by labels that are named by key alone: to the values that the pod itself has of them (KEP-3633). */
export function withLabelKeys(
  selector: LabelSelector | undefined,
  keys: readonly string[] = [],
  operator: 'In' | 'NotIn',
  pod: Pod,
): LabelSelector | undefined {
  if (selector === undefined || keys.length === 0) return selector;
  const added = keys.flatMap((key) => {
    const value = pod.metadata.labels?.[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...added] };
}

export function domainOf(use: NodeUse, topologyKey: string): string | undefined {
  return use.node.metadata.labels?.[topologyKey];
}

/** The pods in one node's domain of this key: on all nodes with the same value of the label. */
export function podsInDomain(use: NodeUse, topologyKey: string, uses: readonly NodeUse[]): Pod[] {
  const domain = domainOf(use, topologyKey);
  if (domain === undefined) return [];
  return uses.filter((other) => domainOf(other, topologyKey) === domain).flatMap((other) => other.pods);
}

/** Every required term is met: some pod that it speaks of is in the domain, or the pod is the first of its own kind. */
export function meetsAffinity(pod: Pod, use: NodeUse, uses: readonly NodeUse[], labels: NamespaceLabels): boolean {
  const terms = required(pod.spec.affinity?.podAffinity);
  const near = (term: PodAffinityTerm) =>
    podsInDomain(use, term.topologyKey, uses).some((other) => concerns(term, pod, other, labels));
  if (terms.every(near)) return true;
  // A group whose pods ask for one another could never start, so its first pod may stand anywhere in a domain.
  const first = terms.every(
    (term) => domainOf(use, term.topologyKey) !== undefined && concerns(term, pod, pod, labels),
  );
  return first && !uses.some((other) => other.pods.some((p) => terms.some((term) => concerns(term, pod, p, labels))));
}

/** No pod that a required anti-affinity term of this pod speaks of is in the domain. */
export function meetsAntiAffinity(pod: Pod, use: NodeUse, uses: readonly NodeUse[], labels: NamespaceLabels): boolean {
  return !required(pod.spec.affinity?.podAntiAffinity).some((term) =>
    podsInDomain(use, term.topologyKey, uses).some((other) => concerns(term, pod, other, labels)),
  );
}

/** No pod that is there already asked to be apart from such a one. */
export function respectsOthers(pod: Pod, use: NodeUse, uses: readonly NodeUse[], labels: NamespaceLabels): boolean {
  return !uses.some((other) =>
    other.pods.some((present) =>
      required(present.spec.affinity?.podAntiAffinity).some((term) => {
        const domain = domainOf(use, term.topologyKey);
        return (
          domain !== undefined && domain === domainOf(other, term.topologyKey) && concerns(term, present, pod, labels)
        );
      }),
    ),
  );
}

/** Weights of the preferred terms that this node meets: affinity counts for it, anti-affinity against it. */
export function podPreference(pod: Pod, use: NodeUse, uses: readonly NodeUse[], labels: NamespaceLabels): number {
  const sum = (affinity: PodAffinity | undefined) =>
    (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).reduce(
      (total, { weight, podAffinityTerm: term }) => {
        const found = podsInDomain(use, term.topologyKey, uses).filter((other) => concerns(term, pod, other, labels));
        return total + weight * found.length;
      },
      0,
    );
  return sum(pod.spec.affinity?.podAffinity) - sum(pod.spec.affinity?.podAntiAffinity);
}
