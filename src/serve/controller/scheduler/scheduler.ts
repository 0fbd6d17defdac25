/** Gives pods that have no node one: all pending pods in one pass, so that each counts for the next. */

import type { Change } from '#feed/store.ts';
import { type Controller, isOf } from '#serve/controller/controller.ts';
import { isActive } from '#serve/controller/match/quantity.ts';
import { givesNodeCidrs } from '#serve/controller/scheduler/asked-address.ts';
import { objections, type Question } from '#serve/controller/scheduler/filters.ts';
import { namespaceLabels } from '#serve/controller/scheduler/pod-affinity.ts';
import { type Cluster, isBeingCleared, preemptionFor } from '#serve/controller/scheduler/preemption.ts';
import { best } from '#serve/controller/scheduler/score.ts';
import { nodeUses, place } from '#serve/controller/scheduler/usage.ts';
import { timeOf, timestamp, type World } from '#serve/controller/world.ts';
import { decision, type Notice, referenceTo, type Write } from '#serve/controller/write.ts';
import { DISRUPTION_BUDGETS } from '#spec/disruption.ts';
import {
  CONFIG_MAPS,
  type Condition,
  conditionOf,
  type KubeObject,
  NAMESPACES,
  NODES,
  type Node,
  PODS,
  type Pod,
  type Resource,
} from '#spec/k8s.ts';

const NAME = 'default-scheduler';
const ALL = ['pending'] as const;

export const scheduler: Controller = {
  name: 'scheduler',
  needs: [PODS, NODES, NAMESPACES, CONFIG_MAPS, DISRUPTION_BUDGETS],
  keys: () => ALL,
  wake: (resource, change) => (matters(resource, change) ? ALL : []),
  decide(world) {
    const pods = [...world.of(PODS).values()].filter(isPending).sort(byTurn);
    if (pods.length === 0) return { writes: [] };
    const uses = nodeUses(world);
    const cluster = { uses, labels: namespaceLabels(world), nodeCidrs: givesNodeCidrs(world) };
    return decision(pods.flatMap((pod) => schedule(pod, cluster, world)));
  },
};

/** Places the pod (in `uses` too) or says why it cannot be. */
function schedule(pod: Pod, cluster: Cluster, world: World): Write[] {
  const fitting: Question[] = [];
  const reasons: string[] = [];
  const { uses } = cluster;
  for (const use of uses) {
    const question = { pod, use, ...cluster };
    const against = objections(question);
    if (against.length === 0) fitting.push(question);
    reasons.push(...against);
  }
  const chosen = best(fitting);
  if (chosen === undefined) return makeRoom(pod, sentence(uses.length, reasons), cluster, world);
  place(chosen, { ...pod, spec: { ...pod.spec, nodeName: chosen.name } });
  const { namespace, name } = pod.metadata;
  const message = `Successfully assigned ${namespace}/${name} to ${chosen.name}`;
  return [{ verb: 'bind', pod, node: chosen.name, notice: notice(pod, 'Normal', 'Scheduled', message) }];
}

/** Ends those that matter less, and keeps the room for the pod until they have gone. */
function makeRoom(pod: Pod, message: string, cluster: Cluster, world: World): Write[] {
  const nominated = cluster.uses.find(({ name }) => name === pod.status?.nominatedNodeName);
  if (nominated !== undefined && isBeingCleared(nominated, pod)) {
    place(nominated, pod);
    return refuse(pod, message, world, nominated.name);
  }
  const room = preemptionFor(pod, cluster, [...world.of(DISRUPTION_BUDGETS).values()]);
  if (room === undefined) return refuse(pod, message, world);
  place(room.use, pod);
  const victims = room.victims.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return [
    ...refuse(pod, message, world, room.use.name),
    ...victims.flatMap((victim) => preempt(victim, pod, room.use.name, world)),
  ];
}

function preempt(victim: Pod, pod: Pod, node: string, world: World): Write[] {
  const condition: Condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'PreemptionByScheduler',
    message: `${NAME}: preempting to accommodate a higher priority pod`,
    lastTransitionTime: timestamp(world.now),
  };
  const others = (victim.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
  const told = notice(victim, 'Normal', 'Preempted', `Preempted by pod ${pod.metadata.uid} on node ${node}`);
  return [
    {
      verb: 'patch',
      resource: PODS,
      base: victim,
      patch: { status: { conditions: [...others, condition] } },
      subresource: 'status',
    },
    { verb: 'delete', resource: PODS, object: victim, notice: told },
  ];
}

/** kube-scheduler's sentence: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) …`. */
function sentence(nodes: number, reasons: readonly string[]): string {
  if (nodes === 0) return 'no nodes available to schedule pods';
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodes} nodes are available: ${parts.join(', ')}.`;
}

/** The condition and an event, once for each new reason; and the node where room is being made. */
function refuse(pod: Pod, message: string, world: World, nominated?: string): Write[] {
  const conditions = pod.status?.conditions ?? [];
  const known = conditionOf(conditions, 'PodScheduled');
  const isSaid = known?.status === 'False' && known.message === message;
  const isMoved = nominated !== pod.status?.nominatedNodeName;
  if (isSaid && !isMoved) return [];
  const now = timestamp(world.now);
  const condition: Condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastProbeTime: null,
    lastTransitionTime: known?.status === 'False' ? (known.lastTransitionTime ?? now) : now,
  };
  const others = conditions.filter((c) => c.type !== 'PodScheduled');
  const write: Write = {
    verb: 'patch',
    resource: PODS,
    base: pod,
    patch: { status: { conditions: [...others, condition], ...(isMoved && { nominatedNodeName: nominated ?? null }) } },
    subresource: 'status',
  };
  return isSaid ? [write] : [write, { verb: 'notice', notice: notice(pod, 'Warning', 'FailedScheduling', message) }];
}

function notice(pod: Pod, type: Notice['type'], reason: string, message: string): Notice {
  return { about: referenceTo(PODS, pod), type, reason, message, component: NAME };
}

function isPending(pod: Pod): boolean {
  const mine = pod.spec.schedulerName ?? NAME;
  return (
    !pod.spec.nodeName &&
    pod.metadata.deletionTimestamp === undefined &&
    isActive(pod) &&
    mine === NAME &&
    (pod.spec.schedulingGates ?? []).length === 0
  );
}

/** Higher priority first, then who came first. */
function byTurn(a: Pod, b: Pod): number {
  const priority = (b.spec.priority ?? 0) - (a.spec.priority ?? 0);
  const age = timeOf(a.metadata.creationTimestamp) - timeOf(b.metadata.creationTimestamp);
  return priority || age || (keyOfPod(a) < keyOfPod(b) ? -1 : 1);
}

function keyOfPod(pod: Pod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}

/** Could this change let a pending pod find a node? Heartbeats and the life of placed pods cannot. */
function matters(resource: Resource<KubeObject>, change: Change<KubeObject>): boolean {
  if (isOf(PODS, resource, change)) return podMatters(change);
  if (isOf(NAMESPACES, resource, change)) return namespaceMatters(change);
  if (isOf(CONFIG_MAPS, resource, change)) return true;
  return isOf(NODES, resource, change) && nodeMatters(change);
}

function podMatters(change: Change<Pod>): boolean {
  if (change.type === 'delete') return true;
  const { object: pod, previous } = change;
  if (!pod.spec.nodeName) return isPending(pod);
  // A pod that has just found its node may be whom others ask to be near.
  if (previous === undefined || !previous.spec.nodeName) return true;
  return isActive(pod) !== isActive(previous) || labelText(pod) !== labelText(previous);
}

function labelText({ metadata }: KubeObject): string {
  return JSON.stringify(metadata.labels ?? {});
}

/** Terms of affinity select namespaces by their labels. */
function namespaceMatters(change: Change<KubeObject>): boolean {
  if (change.type === 'delete' || change.previous === undefined) return false;
  return labelText(change.object) !== labelText(change.previous);
}

function nodeMatters(change: Change<Node>): boolean {
  if (change.type === 'delete') return true;
  return change.previous === undefined || nodeText(change.object) !== nodeText(change.previous);
}

/** All of a node that filters and scores look at. */
function nodeText({ metadata, spec, status }: Node): string {
  const conditions = status?.conditions?.map((c) => `${c.type}=${c.status}`);
  return JSON.stringify([
    ...[metadata.labels, spec?.taints, spec?.unschedulable, spec?.podCIDRs],
    ...[status?.allocatable, conditions],
  ]);
}
