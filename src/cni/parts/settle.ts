/** Duplicate address detection (RFC 4862 §5.4) is the kernel's; whoever turns it on wants to know how it ends. */

import { setTimeout as pause } from 'node:timers/promises';
import type { PodNetns } from '#cni/plugin.ts';
import { addrOf } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { IFA_F_DADFAILED, IFA_F_TENTATIVE } from '#wire/netlink/values.ts';

/** The kernel waits up to a second at random, and a second for an answer. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 25;

/** Waits until all addresses can be used. @throws PolderError address-taken; cni-try-later after ten seconds */
export async function settleAddresses({ netlink }: PodNetns, ifname: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const own = netlink.addresses().filter(({ link, scope }) => link === ifname && scope !== 'link');
    const failed = own.find(({ flags = 0 }) => flags & IFA_F_DADFAILED);
    if (failed) throw new PolderError('address-taken', { address: addrOf(failed.address), holder: 'a neighbour' });
    const open = own.find(({ flags = 0 }) => flags & IFA_F_TENTATIVE);
    if (!open) return;
    if (performance.now() > until) {
      throw new PolderError('cni-try-later', { what: `Address ${open.address} is still being looked for elsewhere` });
    }
    await pause(LOOK_MS);
  }
}
