/** What silence of a kubelet does to its node's conditions, and a node's health to its taints. */

import { CONDITION_TAINTS, conditionTaints } from '#serve/controller/match/taints.ts';
import { timestamp } from '#serve/controller/world.ts';
import { type Condition, conditionOf, type Node, type Taint } from '#spec/k8s.ts';

/** Conditions that a kubelet speaks for: nobody knows them when it is silent. */
const KUBELET_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

/** The node's conditions with the kubelet's own turned to Unknown; undefined if they are so already. */
export function silenced(node: Node, now: number): readonly Condition[] | undefined {
  const conditions = node.status?.conditions ?? [];
  const unknown = KUBELET_CONDITIONS.filter((type) => needsSilencing(conditions, type));
  if (unknown.length === 0) return undefined;
  const others = conditions.filter((c) => !unknown.some((type) => type === c.type));
  return [...others, ...unknown.map((type) => unknownCondition(type, conditionOf(conditions, type), node, now))];
}

/** Only Ready is made up where a kubelet never spoke of it. */
function needsSilencing(conditions: readonly Condition[], type: string): boolean {
  const known = conditionOf(conditions, type);
  return known === undefined ? type === 'Ready' : known.status !== 'Unknown';
}

function unknownCondition(type: string, known: Condition | undefined, node: Node, now: number): Condition {
  const never = known === undefined;
  return {
    type,
    status: 'Unknown',
    reason: never ? 'NodeStatusNeverUpdated' : 'NodeStatusUnknown',
    message: never ? 'Kubelet never posted node status.' : 'Kubelet stopped posting node status.',
    lastHeartbeatTime: known?.lastHeartbeatTime ?? node.metadata.creationTimestamp ?? null,
    lastTransitionTime: timestamp(now),
  };
}

/** The taints that the node should carry: foreign ones as they are, and those of its conditions. Undefined if it does. */
export function healthTaints(node: Node, now: number): readonly Taint[] | undefined {
  const have = node.spec?.taints ?? [];
  const wanted = conditionTaints(node);
  const isWanted = (taint: Taint) => wanted.some((w) => w.key === taint.key && w.effect === taint.effect);
  const isThere = (taint: Taint) => have.some((h) => h.key === taint.key && h.effect === taint.effect);
  const kept = have.filter((taint) => !CONDITION_TAINTS.has(taint.key) || isWanted(taint));
  const missing = wanted.filter((taint) => !isThere(taint));
  if (missing.length === 0 && kept.length === have.length) return undefined;
  return [...kept, ...missing.map((taint) => ({ ...taint, timeAdded: timestamp(now) }))];
}
