/** When a pod must leave a node that carries NoExecute taints (Kubernetes "Taint based Evictions"). */

import { NOT_READY, tolerates, UNREACHABLE } from '#serve/controller/match/taints.ts';
import { timeOf } from '#serve/controller/world.ts';
import type { Pod, Taint, Toleration } from '#spec/k8s.ts';

/** Admission plugin DefaultTolerationSeconds. */
const DEFAULT_SECONDS = 300;

/** At this instant (ms since 1970); undefined: never. */
export function evictedAt(pod: Pod, taints: readonly Taint[], now: number): number | undefined {
  const tolerations = withDefaults(pod.spec.tolerations ?? []);
  const instants = taints
    .filter((taint) => taint.effect === 'NoExecute')
    .map((taint) => leavesAt(taint, tolerations, now))
    .filter((instant) => instant !== undefined);
  return instants.length === 0 ? undefined : Math.min(...instants);
}

function leavesAt(taint: Taint, tolerations: readonly Toleration[], now: number): number | undefined {
  const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
  if (matching.length === 0) return now;
  const limits = matching.map((t) => t.tolerationSeconds).filter((seconds) => seconds !== undefined);
  // As in Kubernetes the shortest limit counts, and one toleration without a limit does not lift another's.
  if (limits.length === 0) return undefined;
  return (timeOf(taint.timeAdded) || now) + Math.max(0, Math.min(...limits)) * 1000;
}

/** What admission gives every pod; those that were stored before it did get the same. */
function withDefaults(tolerations: readonly Toleration[]): Toleration[] {
  const speaksOf = (key: string) => tolerations.some((t) => tolerates(t, { key, effect: 'NoExecute' }));
  const added = [NOT_READY, UNREACHABLE]
    .filter((key) => !speaksOf(key))
    .map((key): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: DEFAULT_SECONDS }));
  return [...tolerations, ...added];
}
