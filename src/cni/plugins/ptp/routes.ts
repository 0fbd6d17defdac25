/** What `ptp` puts beside the IPAM plugin's addresses and routes: pure. */

import { type Addr, bitsOf, familyOf } from '#net/addr.ts';
import { addrOf, hostPrefix, type IfAddr, ifAddr, networkOf, prefixFamily } from '#net/prefix.ts';
import { type Address, PROTO_BOOT, PROTO_KERNEL, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

export interface Placed {
  readonly address: IfAddr;
  readonly gateway: Addr;
}

const COMMON = { type: 'unicast', table: TABLE_MAIN, protocol: PROTO_BOOT } as const;

/** The kernel's own, which an address brings: nobody else is on this link. */
export function connectedRoute(link: string, { address }: Placed): Route {
  const v4 = prefixFamily(address) === 4;
  return {
    ...COMMON,
    to: networkOf(address),
    protocol: PROTO_KERNEL,
    ...(v4 ? { scope: 'link', source: addrOf(address) } : { scope: 'global', metric: 256 }),
    hops: [{ link }],
  };
}

/** To the host's end, and by it to the rest of the network. */
export function podRoutes(link: string, { address, gateway }: Placed): Route[] {
  const source = addrOf(address);
  const scope = familyOf(gateway) === 4 ? 'link' : 'global';
  return [
    { ...COMMON, to: hostPrefix(gateway), scope, source, hops: [{ link }] },
    { ...COMMON, to: networkOf(address), scope: 'global', source, hops: [{ via: gateway, link }] },
  ];
}

export function hostAddress(link: string, { gateway }: Placed): Address {
  return { link, address: ifAddr(gateway, bitsOf(familyOf(gateway))), scope: 'global' };
}

export function hostRoute(link: string, { address }: Placed): Route {
  const v4 = prefixFamily(address) === 4;
  return { ...COMMON, to: hostPrefix(addrOf(address)), scope: v4 ? 'host' : 'global', hops: [{ link }] };
}
