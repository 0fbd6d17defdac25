/** Pods that ask for an address by name, where addresses come from the nodes' CIDRs: only one node can give it. */

import { factsOf } from '#cni/pools/facts.ts';
import { contains, readPrefix } from '#net/prefix.ts';
import type { World } from '#serve/controller/world.ts';
import { CONFIG_MAP, parseConfig } from '#spec/config.ts';
import { CONFIG_MAPS, keyText, type Node, type Pod } from '#spec/k8s.ts';

/** Whether the cluster's profile gives addresses of node CIDRs; false while that is not known. */
export function givesNodeCidrs(world: World): boolean {
  const settings = world.of(CONFIG_MAPS).get(keyText(CONFIG_MAP));
  const result = settings && parseConfig(settings.data);
  return result?.kind === 'config' && result.config.profile.ipam === 'node-cidr';
}

/** Whether an address that the pod asks for is another node's to give. One that is of no node is for its events to say. */
export function isOfAnother(pod: Pod, node: Node, nodes: readonly Node[]): boolean {
  return askedFor(pod).some((addr) => {
    const gives = ({ spec }: Node) =>
      (spec?.podCIDRs ?? []).some((text) => {
        const cidr = readPrefix(text);
        return cidr !== undefined && contains(cidr, addr);
      });
    return !gives(node) && nodes.some(gives);
  });
}

/** None if the annotation cannot be read: the pod's events say so when it starts. */
function askedFor(pod: Pod) {
  try {
    return factsOf(pod, undefined).addrs;
  } catch {
    return [];
  }
}
