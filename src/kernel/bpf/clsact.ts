/**
 * Programs as filters of a `clsact` qdisc, for kernels before 6.6. While that qdisc comes to an interface or goes from it, the kernel
 * drops what is sent by the interface.
 */

import type { Hook, Place } from '#kernel/bpf/hook.ts';
import { loadProgram } from '#kernel/ffi/bpf.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { Filter } from '#wire/netlink/tc-values.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** What our filters' names begin with. */
const OWN = 'polder-ipip-';
/** Of our filters: IPIP's protocol number. */
const PRIORITY = 4;

export const CLSACT: Hook = {
  places(netlink) {
    const links = netlink.qdiscs().flatMap(({ link, info }) => (info.kind === 'clsact' ? [link] : []));
    const places = links.flatMap((link): Place[] => [
      { link, parent: 'ingress' },
      { link, parent: 'egress' },
    ]);
    return places.filter((place) => ownFilters(netlink, place).length > 0);
  },

  put(netlink, { link, parent, digest, instructions }) {
    const name = `${OWN}${digest}`;
    const there = ownFilters(netlink, { link, parent });
    if (there.some(({ match }) => match.kind === 'bpf' && match.name === name)) return;
    if (!netlink.qdiscs(link).some(({ info }) => info.kind === 'clsact'))
      must(netlink, [{ op: 'qdisc.add', qdisc: { link, info: { kind: 'clsact' } } }]);
    const program = loadProgram('polder_ipip', instructions);
    try {
      const [old] = there;
      const handle = old?.handle ?? 1;
      const match = { kind: 'bpf', name, program } as const;
      must(netlink, [
        { op: 'filter.replace', filter: { link, parent, priority: PRIORITY, protocol: 'all', match, handle } },
      ]);
    } finally {
      closeFd(program);
    }
  },

  /** The qdisc goes with its last filter, whoever has made it: it does nothing by itself. */
  clear(netlink, place) {
    must(
      netlink,
      ownFilters(netlink, place).map((filter) => ({ op: 'filter.del', filter })),
    );
    const left = (['ingress', 'egress'] as const).flatMap((parent) => netlink.filters(place.link, parent));
    if (left.length === 0) must(netlink, [{ op: 'qdisc.del', qdisc: { link: place.link, info: { kind: 'clsact' } } }]);
  },
};

function ownFilters(netlink: Netlink, { link, parent }: Place): Filter[] {
  return netlink.filters(link, parent).filter(({ match }) => match.kind === 'bpf' && match.name.startsWith(OWN));
}

function must(netlink: Netlink, ops: readonly NetlinkOp[]): void {
  const [failure] = netlink.run(ops);
  if (failure) throw refusalError(failure);
}
