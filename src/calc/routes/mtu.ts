/** How large packets may be. */

import type { Underlay } from '#calc/state.ts';
import { type Addr, familyOf } from '#net/addr.ts';
import type { Pool } from '#spec/pool.ts';

/** Ethernet 14 + UDP 8 + VXLAN 8 (RFC 7348 §5) + the outer IP header. */
const VXLAN_OVERHEAD = { 4: 14 + 8 + 8 + 20, 6: 14 + 8 + 8 + 40 } as const;

/** Least MTU that IPv6 asks of a link (RFC 8200 §5), which IPv4 does well to keep too. */
export const MIN_MTU = 1280;

/** Bytes that encapsulation adds at most to a pod's packet, with outer headers of the family of `nodeAddr`. */
export function overhead(pools: readonly Pool[], nodeAddr: Addr): number {
  return pools.some(({ vxlan }) => vxlan !== 'never') ? VXLAN_OVERHEAD[familyOf(nodeAddr)] : 0;
}

/** The largest pod packet that passes the underlay whole, bytes. */
export function largestPodMtu(underlay: Underlay, pools: readonly Pool[], nodeAddr: Addr): number {
  return underlay.mtu - overhead(pools, nodeAddr);
}
