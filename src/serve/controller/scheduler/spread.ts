/** `topologySpreadConstraints`: pods of a kind evenly over the domains (Kubernetes "Pod Topology Spread Constraints"). */

import { matchesSelector } from '#serve/controller/match/labels.ts';
import { wantsNode } from '#serve/controller/match/node-affinity.ts';
import { domainOf, podsInDomain } from '#serve/controller/scheduler/pod-affinity.ts';
import type { NodeUse } from '#serve/controller/scheduler/usage.ts';
import type { Pod, TopologySpreadConstraint } from '#spec/k8s.ts';

function constraints(pod: Pod, kind: TopologySpreadConstraint['whenUnsatisfiable']): TopologySpreadConstraint[] {
  return (pod.spec.topologySpreadConstraints ?? []).filter((c) => c.whenUnsatisfiable === kind);
}

function count(constraint: TopologySpreadConstraint, pod: Pod, use: NodeUse, uses: readonly NodeUse[]): number {
  return podsInDomain(use, constraint.topologyKey, uses).filter(
    (other) =>
      other.metadata.namespace === pod.metadata.namespace &&
      other.metadata.deletionTimestamp === undefined &&
      matchesSelector(constraint.labelSelector, other.metadata.labels),
  ).length;
}

/** With the pod here, no domain that it could go to would have fewer by more than maxSkew. */
export function meetsSpread(pod: Pod, use: NodeUse, uses: readonly NodeUse[]): boolean {
  return constraints(pod, 'DoNotSchedule').every((constraint) => {
    if (domainOf(use, constraint.topologyKey) === undefined) return false;
    const eligible = uses.filter(
      (u) => domainOf(u, constraint.topologyKey) !== undefined && wantsNode(pod.spec, u.node),
    );
    const fewest = Math.min(...eligible.map((u) => count(constraint, pod, u, uses)));
    const self = matchesSelector(constraint.labelSelector, pod.metadata.labels) ? 1 : 0;
    return count(constraint, pod, use, uses) + self - fewest <= constraint.maxSkew;
  });
}

/** How many of its kind are in this node's domains, for constraints that only wish. */
export function crowding(pod: Pod, use: NodeUse, uses: readonly NodeUse[]): number {
  return constraints(pod, 'ScheduleAnyway').reduce((sum, constraint) => sum + count(constraint, pod, use, uses), 0);
}
