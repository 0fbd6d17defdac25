/** Routes that BIRD has put into the kernel: its own while it runs, swept when this node speaks BGP no longer. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { PROTO_BIRD, TABLE_MAIN } from '#wire/netlink/values.ts';

/** Takes them all away. Only for a node whose BIRD was ours and has ended: a second one would fight with it anyway. */
export function sweepBirdRoutes(netlink: Netlink): void {
  const left = netlink.routes({ protocol: PROTO_BIRD, table: TABLE_MAIN });
  netlink.run(left.map((route) => ({ op: 'route.del', route })));
}

/** True if a BIRD that ran before has left routes. */
export function hasBirdRoutes(netlink: Netlink): boolean {
  return netlink.routes({ protocol: PROTO_BIRD, table: TABLE_MAIN }).length > 0;
}
