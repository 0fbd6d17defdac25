/** Operations on the kernel's tables, with the first refusal as an error for people. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** @param tolerated errno's names that are no failure. @throws PolderError kernel-refused, kernel-feature-missing. */
export function run(netlink: Netlink, ops: readonly NetlinkOp[], ...tolerated: readonly string[]): void {
  runOn(netlink, undefined, ops, ...tolerated);
}

/** As `run`, of operations that have to do with this interface, which is there: they go off in one send. */
export function runOn(
  netlink: Netlink,
  ifname: string | undefined,
  ops: readonly NetlinkOp[],
  ...tolerated: readonly string[]
): void {
  if (ops.length === 0) return;
  const index = ifname === undefined ? undefined : netlink.indexOf(ifname);
  const known = ifname === undefined || index === undefined ? [] : [{ name: ifname, index }];
  const failure = netlink.run(ops, known).find(({ code }) => !tolerated.includes(code));
  if (failure) throw refusalError(failure);
}
