/** Notices that a node's kubelet has fallen silent, and what follows for its taints and pods. */

import type { Change } from '#feed/store.ts';
import { type Controller, isOf } from '#serve/controller/controller.ts';
import { healthTaints, silenced } from '#serve/controller/lifecycle/conditions.ts';
import { evictedAt } from '#serve/controller/lifecycle/eviction.ts';
import { isActive } from '#serve/controller/match/quantity.ts';
import { timestamp, type World } from '#serve/controller/world.ts';
import {
  type Decision,
  decision,
  NOTHING,
  type Notice,
  referenceTo,
  sooner,
  type Write,
} from '#serve/controller/write.ts';
import { type Condition, conditionOf, LEASES, NODES, type Node, PODS, type Pod } from '#spec/k8s.ts';

/** Namespace of the Leases that kubelets renew, one a node, of the node's name (KEP-589). */
export const LEASE_NAMESPACE = 'kube-node-lease';

export interface LifecycleOptions {
  /** Silence after which a node counts as lost, ms. Kubernetes: 40 s. */
  readonly graceMs: number;
}

export function nodeLifecycle(options: LifecycleOptions): Controller {
  return {
    name: 'lifecycle',
    needs: [NODES, PODS, LEASES],
    keys: (world) => [...world.of(NODES).keys()],
    wake(resource, change) {
      if (isOf(NODES, resource, change)) return [change.key];
      if (isOf(LEASES, resource, change)) return leaseKeys(change.key);
      return isOf(PODS, resource, change) ? nodeOf(change) : [];
    },
    decide(world, key) {
      const node = world.of(NODES).get(key);
      return node === undefined ? NOTHING : look(node, options, world);
    },
  };
}

/** Conditions first; taints and pods follow from them when they are written, in the next rounds. */
function look(node: Node, options: LifecycleOptions, world: World): Decision {
  const heard = world.heard(node.metadata.name ?? '');
  const leftMs = heard === undefined ? undefined : heard + options.graceMs - world.now;
  if (leftMs !== undefined && leftMs <= 0) {
    const conditions = silenced(node, world.now);
    if (conditions !== undefined) return decision(lose(node, conditions));
  }
  const taints = healthTaints(node, world.now);
  if (taints !== undefined) {
    return decision([
      { verb: 'patch', resource: NODES, base: node, patch: { spec: { taints: taints.length > 0 ? taints : null } } },
    ]);
  }
  const pods = judgePods(node, world);
  return decision(pods.writes, sooner(leftMs !== undefined && leftMs > 0 ? leftMs : undefined, pods.againMs));
}

function lose(node: Node, conditions: readonly Condition[]): Write[] {
  const message = `Node ${node.metadata.name} status is now: NodeNotReady`;
  return [
    { verb: 'patch', resource: NODES, base: node, patch: { status: { conditions } }, subresource: 'status' },
    { verb: 'notice', notice: notice(referenceTo(NODES, node), 'Normal', 'NodeNotReady', message) },
  ];
}

/** Pods of a node that is not ready are not ready either, and leave it in time. */
function judgePods(node: Node, world: World): Decision {
  const ready = conditionOf(node.status?.conditions, 'Ready')?.status === 'True';
  const taints = node.spec?.taints ?? [];
  if (ready && !taints.some((taint) => taint.effect === 'NoExecute')) return NOTHING;
  const writes: Write[] = [];
  let againMs: number | undefined;
  for (const pod of world.of(PODS).values()) {
    if (pod.spec.nodeName !== node.metadata.name || !isActive(pod)) continue;
    const at = evictedAt(pod, taints, world.now);
    const ending = pod.metadata.deletionTimestamp !== undefined;
    if (!ending && at !== undefined && at <= world.now) writes.push(evict(pod));
    else if (!ready) writes.push(...unready(pod, world.now));
    if (!ending && at !== undefined && at > world.now) againMs = sooner(againMs, at - world.now);
  }
  return decision(writes, againMs);
}

function evict(pod: Pod): Write {
  const message = `Marking for deletion Pod ${pod.metadata.namespace}/${pod.metadata.name}`;
  const told = notice(referenceTo(PODS, pod), 'Normal', 'TaintManagerEviction', message, 'taint-eviction-controller');
  return { verb: 'delete', resource: PODS, object: pod, notice: told };
}

function unready(pod: Pod, now: number): Write[] {
  const conditions = pod.status?.conditions ?? [];
  if (conditionOf(conditions, 'Ready')?.status !== 'True') return [];
  const changed = conditions.map((c) =>
    c.type === 'Ready' ? { ...c, status: 'False', reason: 'NodeNotReady', lastTransitionTime: timestamp(now) } : c,
  );
  const told = notice(referenceTo(PODS, pod), 'Warning', 'NodeNotReady', 'Node is not ready');
  return [
    { verb: 'patch', resource: PODS, base: pod, patch: { status: { conditions: changed } }, subresource: 'status' },
    { verb: 'notice', notice: told },
  ];
}

function notice(
  about: Notice['about'],
  type: Notice['type'],
  reason: string,
  message: string,
  component = 'node-controller',
): Notice {
  return { about, type, reason, message, component };
}

function leaseKeys(key: string): string[] {
  return key.startsWith(`${LEASE_NAMESPACE}/`) ? [key.slice(LEASE_NAMESPACE.length + 1)] : [];
}

/** The node that a pod has just come to: it may be one that is lost. Later changes of the pod say nothing new. */
function nodeOf(change: Change<Pod>): string[] {
  if (change.type === 'delete' || !change.object.spec.nodeName) return [];
  const known = change.previous?.spec.nodeName === change.object.spec.nodeName;
  return known && change.previous?.metadata.deletionTimestamp === change.object.metadata.deletionTimestamp
    ? []
    : [change.object.spec.nodeName];
}
