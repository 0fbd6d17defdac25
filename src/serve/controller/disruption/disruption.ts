/** Counts for each PodDisruptionBudget how many of its pods may be evicted now. The API's `pods/eviction` asks it. */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { isReady } from '#serve/controller/daemonset/availability.ts';
import { expectedOf } from '#serve/controller/disruption/expected.ts';
import { matchesSelector } from '#serve/controller/match/labels.ts';
import { statusWrites } from '#serve/controller/workload/status.ts';
import { timeOf, timestamp, type World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING, sooner } from '#serve/controller/write.ts';
import { DISRUPTION_BUDGETS, type DisruptionStatus, type PodDisruptionBudget } from '#spec/disruption.ts';
import { type Condition, conditionOf, type KubeObject, keyOf, PODS, type Pod } from '#spec/k8s.ts';
import { DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS } from '#spec/workloads.ts';

/** An eviction that was granted and never happened stops to count after this, ms. Kubernetes: 2 minutes. */
const GRANTED_MS = 120_000;

const KEEPERS = [DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS];

export const disruptionController: Controller = {
  name: 'disruption',
  needs: [DISRUPTION_BUDGETS, PODS, ...KEEPERS],
  keys: (world) => [...world.of(DISRUPTION_BUDGETS).keys()],
  wake(resource, change, world) {
    if (isOf(DISRUPTION_BUDGETS, resource, change)) return [change.key];
    if (isOf(PODS, resource, change)) return budgetsOf(change.object, world);
    return KEEPERS.some((kind) => kind.kind === resource.kind) ? budgetsIn(change.object, world) : [];
  },
  decide(world, key) {
    const budget = world.of(DISRUPTION_BUDGETS).get(key);
    return budget === undefined || budget.metadata.deletionTimestamp !== undefined ? NOTHING : count(budget, world);
  },
};

function count(budget: PodDisruptionBudget, world: World): Decision {
  const pods = [...world.of(PODS).values()].filter((pod) => isMeant(budget, pod));
  const granted = grantedOf(budget, pods, world.now);
  const expected = expectedOf(budget, pods, world);
  const healthy = pods.filter((pod) => isHealthy(pod) && !granted.has(pod.metadata.name ?? '')).length;
  const allowed = expected === undefined || expected.pods <= 0 ? 0 : Math.max(0, healthy - expected.healthy);
  const known = budget.status;
  const status: DisruptionStatus = {
    ...(budget.metadata.generation !== undefined && { observedGeneration: budget.metadata.generation }),
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: expected?.healthy ?? known?.desiredHealthy ?? 0,
    expectedPods: expected?.pods ?? known?.expectedPods ?? 0,
    conditions: conditionsOf(budget, expected !== undefined, allowed, world.now),
    ...forgotten(known?.disruptedPods ?? {}, granted),
  };
  const waits = [...granted.values()].map((at) => at + GRANTED_MS - world.now);
  return decision(statusWrites(DISRUPTION_BUDGETS, budget, status), waits.reduce(sooner, undefined));
}

function isMeant({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean {
  if (pod.metadata.namespace !== metadata.namespace || spec?.selector === undefined) return false;
  return matchesSelector(spec.selector, pod.metadata.labels);
}

function isHealthy(pod: Pod): boolean {
  return isReady(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Pods whose eviction was granted and is still to be seen: name -> when. */
function grantedOf(budget: PodDisruptionBudget, pods: readonly Pod[], now: number): ReadonlyMap<string, number> {
  const there = new Set(pods.flatMap(({ metadata: m }) => (m.deletionTimestamp === undefined ? [m.name] : [])));
  const granted = Object.entries(budget.status?.disruptedPods ?? {}).map(([name, at]) => [name, timeOf(at)] as const);
  return new Map(granted.filter(([name, at]) => there.has(name) && at + GRANTED_MS > now));
}

/** A merge patch that takes away what is not granted any more. */
function forgotten(known: Readonly<Record<string, string | null>>, granted: ReadonlyMap<string, number>) {
  const gone = Object.keys(known).filter((name) => !granted.has(name));
  return gone.length === 0 ? {} : { disruptedPods: Object.fromEntries(gone.map((name) => [name, null])) };
}

/** KEP-85: DisruptionAllowed, with the reason. */
function conditionsOf(budget: PodDisruptionBudget, counted: boolean, allowed: number, now: number): Condition[] {
  const type = 'DisruptionAllowed';
  const others = (budget.status?.conditions ?? []).filter((each) => each.type !== type);
  const known = conditionOf(budget.status?.conditions, type);
  const status = allowed > 0 ? 'True' : 'False';
  const reason = !counted ? 'SyncFailed' : allowed > 0 ? 'SufficientPods' : 'InsufficientPods';
  const message = counted ? '' : 'found no controller with replicas for its pods: a share of them cannot be told';
  const since = known?.status === status ? known.lastTransitionTime : undefined;
  const generation = budget.metadata.generation;
  return [
    ...others,
    {
      type,
      status,
      reason,
      message,
      lastTransitionTime: since ?? timestamp(now),
      ...(generation !== undefined && { observedGeneration: generation }),
    },
  ];
}

function budgetsOf(pod: Pod, world: World): string[] {
  return [...world.of(DISRUPTION_BUDGETS).values()].filter((budget) => isMeant(budget, pod)).map(keyOf);
}

function budgetsIn({ metadata }: KubeObject, world: World): string[] {
  const all = [...world.of(DISRUPTION_BUDGETS).values()];
  return all.filter((budget) => budget.metadata.namespace === metadata.namespace).map(keyOf);
}
