/** Neighbours: the permanent ones on our own tunnels' devices. The bridge's and the pods' are the kernel's to learn. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { type Link, type Neighbour, NUD_PERMANENT } from '#wire/netlink/values.ts';

export function ownsNeighbour({ state }: Neighbour): boolean {
  return (state & NUD_PERMANENT) !== 0;
}

export function readNeighbours(netlink: Netlink, own: readonly Link[]): Neighbour[] {
  return own
    .filter(({ info }) => info.kind === 'vxlan' || info.kind === 'ifb')
    .flatMap(({ name }) => netlink.neighbours(name))
    .filter(ownsNeighbour);
}
