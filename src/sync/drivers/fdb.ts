/** Forwarding entries: those of our own tunnel device that name a remote node. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { type FdbEntry, type Link, NUD_PERMANENT } from '#wire/netlink/values.ts';

export function ownsFdb({ dst, state }: FdbEntry): boolean {
  return dst !== undefined && (state & NUD_PERMANENT) !== 0;
}

export function readFdb(netlink: Netlink, own: readonly Link[]): FdbEntry[] {
  return own
    .filter(({ info }) => info.kind === 'vxlan')
    .flatMap(({ name }) => netlink.fdb(name))
    .filter(ownsFdb);
}
