/** Whether this kernel has what a test needs: tried, in a namespace of its own. */

import { openNetlink } from '#kernel/netlink/netlink.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** An interface for others to stand on: `below`. */
export const BELOW: NetlinkOp = {
  op: 'link.add',
  link: { name: 'below', info: { kind: 'veth' }, up: true, peer: { name: 'far' } },
};

/** Why these operations cannot be had here, or false: for the `skip` option of `node:test`. */
export function noFeature(...ops: readonly NetlinkOp[]): string | false {
  if (noKernel) return noKernel;
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const [failure] = netlink.run(ops);
  return failure ? refusalError(failure).message : false;
}
