/** The facts about the underlay that the calculators need. */

import type { Underlay } from '#calc/state.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import type { Addr } from '#net/addr.ts';
import { addrOf } from '#net/prefix.ts';
import { PROTO_BIRD, PROTO_POLDER, TABLE_MAIN } from '#wire/netlink/values.ts';

/** How the interface is found: by its name, or by the node's address that it bears. */
export type UnderlayChoice = { readonly ifname: string } | { readonly addr: Addr };

/** Undefined while there is no such interface. */
export function readUnderlay(netlink: Netlink, choice: UnderlayChoice): Underlay | undefined {
  const all = netlink.addresses();
  const ifname = 'ifname' in choice ? choice.ifname : all.find(({ address }) => addrOf(address) === choice.addr)?.link;
  const link = ifname === undefined ? undefined : netlink.link(ifname);
  if (ifname === undefined || !link) return undefined;
  const addrs = all.filter((address) => address.link === ifname && address.scope === 'global');
  return { ifname, addrs: addrs.map(({ address }) => address), mtu: link.mtu };
}

/** Where routes lead by now, ours and BIRD's. */
export function readTold(netlink: Netlink): NonNullable<Underlay['told']> {
  const [own, birds] = [PROTO_POLDER, PROTO_BIRD].map((protocol) => netlink.routes({ protocol, table: TABLE_MAIN }));
  const leading = own?.filter(({ type }) => type === 'unicast') ?? [];
  return {
    own: new Set(leading.map(({ to }) => to)),
    bird: new Map(birds?.map(({ to, hops }) => [to, hops[0]?.link])),
  };
}
