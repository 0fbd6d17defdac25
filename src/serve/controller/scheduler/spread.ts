/** `topologySpreadConstraints`: pods of a kind evenly over the domains (Kubernetes "Pod Topology Spread Constraints"). */

import { matchesSelector } from '#serve/controller/match/labels.ts';
import { wantsNode } from '#serve/controller/match/node-affinity.ts';
import { untolerated } from '#serve/controller/match/taints.ts';
import { domainOf, podsInDomain, withLabelKeys } from '#serve/controller/scheduler/pod-affinity.ts';
import type { NodeUse } from '#serve/controller/scheduler/usage.ts';
import type { Pod, TopologySpreadConstraint } from '#spec/k8s.ts';

function constraints(pod: Pod, kind: TopologySpreadConstraint['whenUnsatisfiable']): TopologySpreadConstraint[] {
  return (pod.spec.topologySpreadConstraints ?? []).filter((c) => c.whenUnsatisfiable === kind);
}

/** Nodes whose domains and pods count: those that the pod could be on, as far as the constraint's policies say. */
function counted(constraint: TopologySpreadConstraint, pod: Pod, uses: readonly NodeUse[]): NodeUse[] {
  const { topologyKey, nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' } = constraint;
  return uses.filter(
    (use) =>
      domainOf(use, topologyKey) !== undefined &&
      (nodeAffinityPolicy === 'Ignore' || wantsNode(pod.spec, use.node)) &&
      (nodeTaintsPolicy === 'Ignore' ||
        untolerated(use.taints, pod.spec.tolerations, ['NoSchedule', 'NoExecute']) === undefined),
  );
}

/** Pods of the kind in the node's domain. */
function count(constraint: TopologySpreadConstraint, pod: Pod, use: NodeUse, uses: readonly NodeUse[]): number {
  const selector = selectorOf(constraint, pod);
  return podsInDomain(use, constraint.topologyKey, uses).filter(
    (other) =>
      other.metadata.namespace === pod.metadata.namespace &&
      other.metadata.deletionTimestamp === undefined &&
      matchesSelector(selector, other.metadata.labels),
  ).length;
}

/** Labels that are named by key alone have the pod's own values: a Deployment's pods of one revision (KEP-3243). */
function selectorOf({ labelSelector, matchLabelKeys }: TopologySpreadConstraint, pod: Pod) {
  return withLabelKeys(labelSelector, matchLabelKeys, 'In', pod);
}

/** Why the pod may not be here: with it no domain that it could go to may have fewer by more than maxSkew. */
export function spreadObjection(pod: Pod, use: NodeUse, uses: readonly NodeUse[]): string | undefined {
  const hard = constraints(pod, 'DoNotSchedule');
  const words = "node(s) didn't match pod topology spread constraints";
  if (hard.some(({ topologyKey }) => domainOf(use, topologyKey) === undefined))
    return `${words} (missing required label)`;
  return hard.every((constraint) => isEven(constraint, pod, use, uses)) ? undefined : words;
}

function isEven(constraint: TopologySpreadConstraint, pod: Pod, use: NodeUse, uses: readonly NodeUse[]): boolean {
  const nodes = counted(constraint, pod, uses);
  const domains = new Set(nodes.map((one) => domainOf(one, constraint.topologyKey)));
  const counts = nodes.map((one) => count(constraint, pod, one, nodes));
  // Fewer domains than there have to be are like one that is empty (KEP-3022).
  const fewest = domains.size < (constraint.minDomains ?? 1) ? 0 : Math.min(...counts);
  const self = matchesSelector(selectorOf(constraint, pod), pod.metadata.labels) ? 1 : 0;
  return count(constraint, pod, use, nodes) + self - fewest <= constraint.maxSkew;
}

/** How many of its kind are in this node's domains, for constraints that only wish. */
export function crowding(pod: Pod, use: NodeUse, uses: readonly NodeUse[]): number {
  return constraints(pod, 'ScheduleAnyway').reduce(
    (sum, constraint) => sum + count(constraint, pod, use, counted(constraint, pod, uses)),
    0,
  );
}
