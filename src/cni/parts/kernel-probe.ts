/** Whether the kernel can make something: it is tried, in a namespace that is thrown away. */

import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNewNetns } from '#kernel/netns/enter.ts';
import { PolderError } from '#spec/errors.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** What could be made once. What could not is tried anew: a module may be loaded at any time. */
const able = new Set<string>();

/** For STATUS. @throws PolderError cni-not-available (CNI code 50) with the feature that is missing. */
export function needAbility(name: string, ops: readonly NetlinkOp[]): void {
  if (able.has(name)) return;
  const [failure] = inNewNetns(() => {
    using netlink = openNetlink();
    return netlink.run(ops);
  });
  if (failure) throw new PolderError('cni-not-available', { what: refusalError(failure).message });
  able.add(name);
}
