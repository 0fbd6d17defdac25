/** How large packets may be. */

import type { Family } from '#net/addr.ts';
import type { TunnelKind } from '#spec/cluster.ts';

/** Least MTU that IPv6 asks of a link (RFC 8200 §5), which IPv4 does well to keep too. */
export const MIN_MTU = 1280;

/** Bytes that a tunnel adds to a pod's packet, with outer headers of a family. */
const OVERHEAD: Readonly<Record<TunnelKind, Readonly<Record<Family, number>>>> = {
  // Ethernet 14 + UDP 8 + VXLAN 8 (RFC 7348 §5) + the outer IP header.
  vxlan: { 4: 14 + 8 + 8 + 20, 6: 14 + 8 + 8 + 40 },
  // The outer IP header alone (RFC 2003).
  ipip: { 4: 20, 6: 40 },
  // UDP 8 + type, receiver and counter 16 + authentication tag 16 + the outer IP header.
  wireguard: { 4: 8 + 16 + 16 + 20, 6: 8 + 16 + 16 + 40 },
};

/** MTU of a tunnel's device over an underlay of `mtu`, bytes. */
export function tunnelMtu(kind: TunnelKind, mtu: number, outer: Family): number {
  return mtu - OVERHEAD[kind][outer];
}
