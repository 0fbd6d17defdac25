/** Which nodes a pod asks for: `nodeSelector` and node affinity (Kubernetes "Assigning Pods to Nodes"). */

import { holds } from '#serve/controller/match/labels.ts';
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from '#spec/k8s.ts';

/** `nodeSelector` and the required node affinity, both. */
export function wantsNode(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** Sum of the weights of the preferred terms that this node meets. */
export function nodePreference(spec: PodSpec, node: Node): number {
  const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return preferred.filter((p) => matchesTerm(p.preference, node)).reduce((sum, p) => sum + p.weight, 0);
}

/** A term without any requirement matches no node. */
export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  const fields: Record<string, string | undefined> = { 'metadata.name': node.metadata.name };
  return matchExpressions.every((r) => meets(r, labels[r.key])) && matchFields.every((r) => meets(r, fields[r.key]));
}

function meets({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'Gt':
      return compared(value, values[0], (a, b) => a > b);
    case 'Lt':
      return compared(value, values[0], (a, b) => a < b);
    default:
      return holds(operator, values, value);
  }
}

/** Both must be whole numbers. */
function compared(
  value: string | undefined,
  limit: string | undefined,
  order: (a: bigint, b: bigint) => boolean,
): boolean {
  const whole = /^-?\d+$/;
  if (value === undefined || limit === undefined || !whole.test(value) || !whole.test(limit)) return false;
  return order(BigInt(value), BigInt(limit));
}
