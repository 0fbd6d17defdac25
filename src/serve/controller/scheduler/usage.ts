/** The nodes with what runs on them: made once a pass, and brought on as pods are placed. */

import { natural } from '#serve/controller/match/natural.ts';
import { type Amounts, add, amountsOf, isActive, requestsOf } from '#serve/controller/match/quantity.ts';
import { effectiveTaints } from '#serve/controller/match/taints.ts';
import type { World } from '#serve/controller/world.ts';
import { NODES, type Node, PODS, type Pod, type Taint } from '#spec/k8s.ts';

export interface NodeUse {
  readonly name: string;
  readonly node: Node;
  readonly taints: readonly Taint[];
  readonly allocatable: Amounts;
  readonly used: Map<string, number>;
  /** Pods that hold something here, also those that are ending. */
  readonly pods: Pod[];
}

/** By name in natural order, so that node2 comes before node10. */
export function nodeUses(world: World): NodeUse[] {
  const uses = new Map<string, NodeUse>();
  for (const [name, node] of world.of(NODES)) {
    const allocatable = amountsOf(node.status?.allocatable);
    uses.set(name, { name, node, taints: effectiveTaints(node), allocatable, used: new Map(), pods: [] });
  }
  for (const pod of world.of(PODS).values()) {
    const use = pod.spec.nodeName === undefined ? undefined : uses.get(pod.spec.nodeName);
    if (use !== undefined && isActive(pod)) place(use, pod);
  }
  return [...uses.values()].sort((a, b) => natural(a.name, b.name));
}

export function place(use: NodeUse, pod: Pod): void {
  use.pods.push(pod);
  add(use.used, requestsOf(pod.spec));
}
