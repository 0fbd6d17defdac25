/** Deletes pods that nobody will ever end: on nodes that are gone, or being deleted before they had a node. */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { timeOf, type World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING } from '#serve/controller/write.ts';
import { type KubeObject, keyOf, NODES, PODS, type Pod } from '#spec/k8s.ts';

/** @param graceMs how old a pod must be before the absence of its node counts: a node may still be registering. */
export function podGarbageCollector(graceMs: number): Controller {
  return {
    name: 'pod-gc',
    needs: [PODS, NODES],
    keys: (world) => [...world.of(PODS).keys()],
    wake(resource, change, world) {
      if (isOf(PODS, resource, change)) return change.type === 'set' ? [change.key] : [];
      return isOf(NODES, resource, change) && change.type === 'delete' ? podsOn(change.object, world) : [];
    },
    decide(world, key) {
      const pod = world.of(PODS).get(key);
      return pod === undefined ? NOTHING : judge(pod, world, graceMs);
    },
  };
}

function judge(pod: Pod, world: World, graceMs: number): Decision {
  const { nodeName } = pod.spec;
  if (!nodeName) {
    const ending = pod.metadata.deletionTimestamp !== undefined;
    return ending ? decision([{ verb: 'delete', resource: PODS, object: pod, gracePeriodSeconds: 0 }]) : NOTHING;
  }
  if (world.of(NODES).has(nodeName)) return NOTHING;
  const waitMs = timeOf(pod.metadata.creationTimestamp) + graceMs - world.now;
  if (waitMs > 0) return decision([], waitMs);
  const ifGone = { resource: NODES, key: { name: nodeName } };
  return decision([{ verb: 'delete', resource: PODS, object: pod, gracePeriodSeconds: 0, ifGone }]);
}

function podsOn(node: KubeObject, world: World): string[] {
  return [...world.of(PODS).values()].filter((pod) => pod.spec.nodeName === node.metadata.name).map(keyOf);
}
