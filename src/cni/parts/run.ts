/** Operations on the kernel's tables, with the first refusal as an error for people. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** @param tolerated errno's names that are no failure. @throws PolderError kernel-refused, kernel-feature-missing. */
export function run(netlink: Netlink, ops: readonly NetlinkOp[], ...tolerated: readonly string[]): void {
  if (ops.length === 0) return;
  const failure = netlink.run(ops).find(({ code }) => !tolerated.includes(code));
  if (failure) throw refusalError(failure);
}
