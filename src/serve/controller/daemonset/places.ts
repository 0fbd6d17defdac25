/** The nodes of a DaemonSet, each with the set's pods on it. */

import { eligibility } from '#serve/controller/daemonset/eligible.ts';
import { targetNode } from '#serve/controller/daemonset/pod.ts';
import { timeOf, type World } from '#serve/controller/world.ts';
import { controllerOf, type DaemonSet, NODES, type Node, PODS, type Pod } from '#spec/k8s.ts';

export interface Place {
  readonly node: string;
  readonly run: boolean;
  readonly stay: boolean;
  /** The set's pods that are on the node or meant for it, oldest first, those that are ending included. */
  readonly pods: readonly Pod[];
}

/** One for each node, and one for each vanished node that still has pods. */
export function placesOf(set: DaemonSet, world: World): Place[] {
  const pods = Map.groupBy(ownPods(set, world), (pod) => targetNode(pod) ?? '');
  const nodes = world.of(NODES);
  const names = new Set([...nodes.keys(), ...pods.keys()]);
  return [...names].sort().map((name) => place(name, nodes.get(name), set, pods.get(name) ?? []));
}

function place(name: string, node: Node | undefined, set: DaemonSet, pods: readonly Pod[]): Place {
  const { run, stay } = node === undefined ? { run: false, stay: false } : eligibility(set, node);
  return { node: name, run, stay, pods: [...pods].sort(oldestFirst) };
}

/** A pod that has a node is older than one that waits for it; then by creation. */
function oldestFirst(a: Pod, b: Pod): number {
  const bound = Number(!a.spec.nodeName) - Number(!b.spec.nodeName);
  const created = timeOf(a.metadata.creationTimestamp) - timeOf(b.metadata.creationTimestamp);
  return bound || created || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1);
}

export function ownPods(set: DaemonSet, world: World): Pod[] {
  return [...world.of(PODS).values()].filter((pod) => controllerOf(pod)?.uid === set.metadata.uid);
}
