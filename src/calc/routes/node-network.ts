/** What the CNI plugin must know of its node, taken from the node's state. */

import type { NodeState } from '#calc/state.ts';
import { prefixFamily } from '#net/prefix.ts';
import type { NodeNetwork } from '#spec/node-network.ts';

export function nodeNetworkOf(state: NodeState): NodeNetwork {
  return {
    attachment: state.attachment,
    ipam: state.ipam,
    bridge: state.bridge?.name ?? '',
    hostIfPrefix: state.hostIfPrefix,
    podCidrs: [...state.networks].sort((a, b) => prefixFamily(a) - prefixFamily(b)),
    mtu: state.podMtu,
  };
}
