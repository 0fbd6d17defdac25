/** Room for a pod by ending others that matter less (Kubernetes "Pod Priority and Preemption" §Preemption). */

import { matchesSelector } from '#serve/controller/match/labels.ts';
import { natural } from '#serve/controller/match/natural.ts';
import { objections, type Question } from '#serve/controller/scheduler/filters.ts';
import { type NodeUse, place } from '#serve/controller/scheduler/usage.ts';
import { timeOf } from '#serve/controller/world.ts';
import type { PodDisruptionBudget } from '#spec/disruption.ts';
import { isMirror, type Pod } from '#spec/k8s.ts';

export type Cluster = Omit<Question, 'pod' | 'use'>;

export interface Preemption {
  readonly use: NodeUse;
  /** As few as do, and some of them may be ending already. */
  readonly victims: readonly Pod[];
}

/** Each victim counts more than any difference in priority. */
const ONE_MORE = 2 ** 31;

/** Where room can be made and who has to go; undefined: nowhere would it help, or the pod is not to. */
export function preemptionFor(
  pod: Pod,
  cluster: Cluster,
  budgets: readonly PodDisruptionBudget[],
): Preemption | undefined {
  if (pod.spec.preemptionPolicy === 'Never') return undefined;
  const found = cluster.uses.flatMap((use) => {
    const victims = victimsOn(use, pod, cluster, budgets);
    if (victims === undefined) return [];
    return [{ use, victims, cost: costOf(victims, budgets) }];
  });
  found.sort((a, b) => compare(a.cost, b.cost) || natural(a.use.name, b.use.name));
  return found[0];
}

/** Whether room that was to be made on the node is still being made. */
export function isBeingCleared(use: NodeUse, pod: Pod): boolean {
  return use.pods.some((other) => other.metadata.deletionTimestamp !== undefined && mattersLess(other, pod));
}

/** All that matter less go, and then those come back who can, the most important first. */
function victimsOn(
  use: NodeUse,
  pod: Pod,
  cluster: Cluster,
  budgets: readonly PodDisruptionBudget[],
): Pod[] | undefined {
  const less = use.pods.filter((other) => mattersLess(other, pod)).sort(byImportance);
  if (less.length === 0) return undefined;
  let kept = without(use, new Set(less));
  if (!fits(pod, kept, use, cluster)) return undefined;
  const guarded = new Set(beyondBudgets(less, budgets));
  const victims: Pod[] = [];
  for (const one of [...guarded, ...less.filter((other) => !guarded.has(other))]) {
    const tried = withPod(kept, one);
    if (fits(pod, tried, use, cluster)) kept = tried;
    else victims.push(one);
  }
  return victims;
}

function mattersLess(other: Pod, pod: Pod): boolean {
  return (other.spec.priority ?? 0) < (pod.spec.priority ?? 0) && !isMirror(other);
}

function byImportance(a: Pod, b: Pod): number {
  return (b.spec.priority ?? 0) - (a.spec.priority ?? 0) || startOf(a) - startOf(b);
}

function startOf(pod: Pod): number {
  return timeOf(pod.status?.startTime ?? pod.metadata.creationTimestamp);
}

function fits(pod: Pod, use: NodeUse, instead: NodeUse, cluster: Cluster): boolean {
  const uses = cluster.uses.map((one) => (one === instead ? use : one));
  return objections({ ...cluster, uses, use, pod }).length === 0;
}

function without(use: NodeUse, gone: ReadonlySet<Pod>): NodeUse {
  const left: NodeUse = { ...use, used: new Map(), pods: [] };
  for (const pod of use.pods) if (!gone.has(pod)) place(left, pod);
  return left;
}

function withPod(use: NodeUse, pod: Pod): NodeUse {
  const more: NodeUse = { ...use, used: new Map(use.used), pods: [...use.pods] };
  place(more, pod);
  return more;
}

/** Those whose end would break a PodDisruptionBudget: they go only if nobody else does. */
function beyondBudgets(pods: readonly Pod[], budgets: readonly PodDisruptionBudget[]): Pod[] {
  const left = new Map(budgets.map((budget) => [budget, budget.status?.disruptionsAllowed ?? 0]));
  return pods.filter((pod) => {
    const own = budgets.filter((budget) => isOf(budget, pod));
    for (const budget of own) left.set(budget, (left.get(budget) ?? 0) - 1);
    return own.some((budget) => (left.get(budget) ?? 0) < 0);
  });
}

function isOf({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean {
  if (metadata.namespace !== pod.metadata.namespace || spec?.selector === undefined) return false;
  return matchesSelector(spec.selector, pod.metadata.labels);
}

/** kube-scheduler's order: budgets that break, the highest priority, all priorities, and who has run the shortest time. */
function costOf(victims: readonly Pod[], budgets: readonly PodDisruptionBudget[]): readonly number[] {
  const priorities = victims.map((pod) => pod.spec.priority ?? 0);
  const highest = Math.max(Number.NEGATIVE_INFINITY, ...priorities);
  const oldest = Math.min(...victims.filter((pod) => (pod.spec.priority ?? 0) === highest).map(startOf));
  const sum = priorities.reduce((total, priority) => total + priority + ONE_MORE, 0);
  return [beyondBudgets(victims, budgets).length, highest, sum, victims.length, -oldest];
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? 0;
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}
