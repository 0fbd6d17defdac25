/** Which of the nodes that fit is best: preferences first, then evenly. */

import { natural } from '#serve/controller/match/natural.ts';
import { nodePreference } from '#serve/controller/match/node-affinity.ts';
import { untolerated } from '#serve/controller/match/taints.ts';
import type { Question } from '#serve/controller/scheduler/filters.ts';
import { podPreference } from '#serve/controller/scheduler/pod-affinity.ts';
import { crowding } from '#serve/controller/scheduler/spread.ts';
import type { NodeUse } from '#serve/controller/scheduler/usage.ts';
import { controllerOf, isMirror, type Pod } from '#spec/k8s.ts';

/** Less is better, an earlier number outweighs all later ones. */
function cost({ pod, use, uses, labels }: Question): readonly number[] {
  return [
    -(nodePreference(pod.spec, use.node) + podPreference(pod, use, uses, labels)),
    untolerated(use.taints, pod.spec.tolerations, ['PreferNoSchedule']) === undefined ? 0 : 1,
    crowding(pod, use, uses),
    use.pods.filter((other) => sameGroup(pod, other)).length,
    use.pods.filter((other) => !isMirror(other)).length,
  ];
}

/** The best of these nodes; of equals the first by name, so that the same world gives the same answer. */
export function best(questions: readonly Question[]): NodeUse | undefined {
  const ranked = questions.map((question) => ({ use: question.use, cost: cost(question) }));
  return ranked.sort((a, b) => compare(a.cost, b.cost) || natural(a.use.name, b.use.name))[0]?.use;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) {
    const difference = value - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Made by one controller, or carrying the same labels. */
function sameGroup(a: Pod, b: Pod): boolean {
  if (a.metadata.namespace !== b.metadata.namespace) return false;
  const owner = controllerOf(a)?.uid;
  if (owner !== undefined) return owner === controllerOf(b)?.uid;
  const labels = Object.entries(a.metadata.labels ?? {});
  return labels.length > 0 && labels.every(([key, value]) => b.metadata.labels?.[key] === value);
}
