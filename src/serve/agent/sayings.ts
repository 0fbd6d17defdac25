/** What a node says of itself in annotations: as the cluster has heard it, and as it is now. */

import type { NodeState } from '#calc/state.ts';
import type { Annotations } from '#serve/agent/annotation-publisher.ts';
import { NODE_ANNOTATIONS } from '#spec/calico-annotations.ts';
import type { ClusterNode } from '#spec/cluster.ts';
import { printWays, WAYS_ANNOTATION } from '#spec/ways.ts';

const { 4: KEY, 6: KEY_V6 } = NODE_ANNOTATIONS.keys;

export function heard({ wireguardKeys, ways }: Pick<ClusterNode, 'wireguardKeys' | 'ways'>): Annotations {
  return {
    [KEY]: wireguardKeys?.[4],
    [KEY_V6]: wireguardKeys?.[6],
    [WAYS_ANNOTATION]: ways && printWays(ways),
  };
}

/**
 * What the kernel has by now. A key that is wanted no longer is taken back: who still encrypts with it would reach nobody.
 * @param refuses kinds whose devices are there and that do not work all the same
 */
export function toSay(
  { wireguard, ways }: Pick<NodeState, 'wireguard' | 'ways'>,
  refuses: { readonly ipip: boolean },
): Annotations {
  const keyOf = (family: 4 | 6) => wireguard.find((device) => device.family === family)?.publicKey;
  const accepts = ways?.accepts.filter((kind) => kind !== 'ipip' || !refuses.ipip);
  return { [KEY]: keyOf(4), [KEY_V6]: keyOf(6), [WAYS_ANNOTATION]: ways && accepts && printWays({ ...ways, accepts }) };
}
