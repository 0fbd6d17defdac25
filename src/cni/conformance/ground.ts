/** The namespaces that cases run in: without names, so that they go when their descriptors are closed. */

import { must } from '#cni/conformance/exec.ts';
import { inNewNetns, openThreadNetns } from '#kernel/netns/enter.ts';
import { heldNetns, type Netns } from '#kernel/netns/netns.ts';

export const UPLINK = 'up0';
/** The node's address towards the outside, and the outside's. */
export const NODE_ADDRESS = '198.51.100.1';
export const OUTSIDE_ADDRESS = '198.51.100.2';
export const NODE_ADDRESS6 = 'fd51::1';
export const OUTSIDE_ADDRESS6 = 'fd51::2';

export function throwAwayNetns(): Netns {
  return heldNetns(inNewNetns(openThreadNetns), 'throw-away');
}

export function pathOf(netns: Netns): string {
  return `/proc/${process.pid}/fd/${netns.fd}`;
}

/** A node with an uplink to an outside that has no route back to pods. */
export async function connectNode(node: Netns, outside: Netns): Promise<void> {
  await must(
    node,
    ['ip', '-batch', '-'],
    [
      'link set lo up',
      `link add ${UPLINK} type veth peer name out0 netns ${pathOf(outside)}`,
      `addr add ${NODE_ADDRESS}/24 dev ${UPLINK}`,
      `addr add ${NODE_ADDRESS6}/64 dev ${UPLINK} nodad`,
      `link set ${UPLINK} up`,
      `route add default via ${OUTSIDE_ADDRESS}`,
    ].join('\n'),
  );
  const there = [
    'link set lo up',
    `addr add ${OUTSIDE_ADDRESS}/24 dev out0`,
    `addr add ${OUTSIDE_ADDRESS6}/64 dev out0 nodad`,
    'link set out0 up',
  ];
  await must(outside, ['ip', '-batch', '-'], there.join('\n'));
}
