/** Taints and tolerations (Kubernetes "Taints and Tolerations"). */

import { conditionOf, type Node, type Taint, type TaintEffect, type Toleration } from '#spec/k8s.ts';

export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNREACHABLE = 'node.kubernetes.io/unreachable';
export const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
export const NETWORK_UNAVAILABLE = 'node.kubernetes.io/network-unavailable';
export const MEMORY_PRESSURE = 'node.kubernetes.io/memory-pressure';
export const DISK_PRESSURE = 'node.kubernetes.io/disk-pressure';
export const PID_PRESSURE = 'node.kubernetes.io/pid-pressure';

/** Taints that stand for a condition: the lifecycle controller sets and removes these, and no others. */
export const CONDITION_TAINTS: ReadonlySet<string> = new Set([
  NOT_READY,
  UNREACHABLE,
  UNSCHEDULABLE,
  NETWORK_UNAVAILABLE,
  MEMORY_PRESSURE,
  DISK_PRESSURE,
  PID_PRESSURE,
]);

const CONDITIONS: readonly { readonly type: string; readonly key: string }[] = [
  { type: 'NetworkUnavailable', key: NETWORK_UNAVAILABLE },
  { type: 'MemoryPressure', key: MEMORY_PRESSURE },
  { type: 'DiskPressure', key: DISK_PRESSURE },
  { type: 'PIDPressure', key: PID_PRESSURE },
];

/** The taints that the node's conditions ask for, without times. A node that never said Ready is not ready. */
export function conditionTaints(node: Node): Taint[] {
  const conditions = node.status?.conditions;
  const ready = conditionOf(conditions, 'Ready')?.status ?? 'False';
  const health = ready === 'Unknown' ? UNREACHABLE : NOT_READY;
  return [
    ...(ready === 'True' ? [] : taintsOf(health, 'NoSchedule', 'NoExecute')),
    ...CONDITIONS.filter((c) => conditionOf(conditions, c.type)?.status === 'True').flatMap((c) =>
      taintsOf(c.key, 'NoSchedule'),
    ),
    ...(node.spec?.unschedulable ? taintsOf(UNSCHEDULABLE, 'NoSchedule') : []),
  ];
}

/**
 * The node's taints as they are or will be in a moment: those that conditions ask for count before they are written,
 * and no longer once the condition has gone. So no pod lands on a node in the gap between the two.
 */
export function effectiveTaints(node: Node): Taint[] {
  const foreign = (node.spec?.taints ?? []).filter((taint) => !CONDITION_TAINTS.has(taint.key));
  return [...conditionTaints(node), ...foreign];
}

function taintsOf(key: string, ...effects: TaintEffect[]): Taint[] {
  return effects.map((effect) => ({ key, effect }));
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== taint.effect) return false;
  if (toleration.key !== undefined && toleration.key !== '' && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  // Without a key only Exists is valid.
  return (toleration.key ?? '') !== '' && (toleration.value ?? '') === (taint.value ?? '');
}

/** The first taint of these effects that nothing tolerates. */
export function untolerated(
  taints: readonly Taint[],
  tolerations: readonly Toleration[] = [],
  effects: readonly TaintEffect[],
): Taint | undefined {
  return taints.find((taint) => effects.includes(taint.effect) && !tolerations.some((t) => tolerates(t, taint)));
}
