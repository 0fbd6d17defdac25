/** A lease as a CNI result, and as the kernel's routes. */

import type { CniResult, CniRoute } from '#wire/cni/result.ts';
import type { Lease } from '#wire/dhcp/lease.ts';

/** RT_SCOPE_LINK of linux/rtnetlink.h: the destination is on the link, no gateway is to be put in. */
const SCOPE_LINK = 253;

export function resultOf(lease: Lease, priority?: number): CniResult {
  const { address, gateway, nameservers, domain, search } = lease;
  return {
    interfaces: [],
    ips: [{ address, ...(gateway && { gateway }) }],
    routes: routesOf(lease, priority),
    dns: {
      ...(nameservers.length > 0 && { nameservers }),
      ...(domain !== undefined && { domain }),
      ...(search.length > 0 && { search }),
    },
  };
}

function routesOf({ routes }: Lease, priority: number | undefined): CniRoute[] {
  return routes.map(({ dst, via }) => ({
    dst,
    ...(via ? { gw: via } : { scope: SCOPE_LINK }),
    ...(priority !== undefined && { priority }),
  }));
}
