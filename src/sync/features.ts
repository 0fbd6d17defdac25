/** What this kernel can, tried in a namespace that lives only for the trial, and remembered: a kernel does not change. */

import type { Features } from '#calc/state.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNewNetns } from '#kernel/netns/enter.ts';
import type { LinkInfo } from '#wire/netlink/values.ts';

const KINDS: Readonly<Record<keyof Features, LinkInfo>> = {
  ipip: { kind: 'ipip', ttl: 0, pmtuDiscovery: true },
  wireguard: { kind: 'wireguard' },
};

const known = new Map<keyof Features, boolean>();

/** Tried at the first question: trying loads the kernel's module, which a node that needs none shall not have. */
export function kernelHas(feature: keyof Features): boolean {
  const found = known.get(feature) ?? canMake(KINDS[feature]);
  known.set(feature, found);
  return found;
}

function canMake(info: LinkInfo): boolean {
  return inNewNetns(() => {
    using netlink = openNetlink();
    const [failure] = netlink.run([{ op: 'link.add', link: { name: 'try', info } }]);
    // Of IPIP there is one in each namespace from its beginning, and no second one of its kind.
    return failure === undefined || failure.code === 'EEXIST';
  });
}
