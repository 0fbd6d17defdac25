/** Annotations by which Calico's nodes tell one another of themselves, and their reader. */

import { type Addr, readAddr } from '#net/addr.ts';
import { type IfAddr, readIfAddr } from '#net/prefix.ts';
import type { ClusterNode } from '#spec/cluster.ts';

export const NODE_ANNOTATIONS = {
  asNumber: 'projectcalico.org/ASNumber',
  reflector: 'projectcalico.org/RouteReflectorClusterID',
  subnets: ['projectcalico.org/IPv4Address', 'projectcalico.org/IPv6Address'],
  vxlan: ['projectcalico.org/IPv4VXLANTunnelAddr', 'projectcalico.org/IPv6VXLANTunnelAddr'],
  ipip: ['projectcalico.org/IPv4IPIPTunnelAddr'],
  wireguard: ['projectcalico.org/IPv4WireguardInterfaceAddr', 'projectcalico.org/IPv6WireguardInterfaceAddr'],
  keys: { 4: 'projectcalico.org/WireguardPublicKey', 6: 'projectcalico.org/WireguardPublicKeyV6' },
} as const;

type Annotations = Readonly<Record<string, string>>;
type Fields = Pick<ClusterNode, 'asNumber' | 'routeReflectorClusterId' | 'subnets' | 'tunnelAddrs' | 'wireguardKeys'>;

/** Fields of a node that its annotations say; what cannot be read is left out and named in a sentence. */
export function annotatedFields(annotations: Annotations): { fields: Fields; problems: string[] } {
  const problems: string[] = [];
  const read = <T>(key: string, reader: (text: string) => T | undefined, what: string): T | undefined => {
    const text = annotations[key];
    if (text === undefined || text === '') return undefined;
    const value = reader(text);
    if (value === undefined) problems.push(`${key} "${text}" is no ${what}`);
    return value;
  };
  const addrs = (keys: readonly string[]): Addr[] =>
    keys.map((key) => read(key, readAddr, 'address')).filter((addr) => addr !== undefined);
  const asNumber = read(NODE_ANNOTATIONS.asNumber, readAsNumber, 'AS number');
  const reflector = read(NODE_ANNOTATIONS.reflector, readIpv4, 'IPv4 address');
  const subnets = NODE_ANNOTATIONS.subnets
    .map((key) => read(key, readSubnet, 'address with the length of its subnet'))
    .filter((subnet) => subnet !== undefined);
  const tunnelAddrs = present({
    vxlan: addrs(NODE_ANNOTATIONS.vxlan),
    ipip: addrs(NODE_ANNOTATIONS.ipip),
    wireguard: addrs(NODE_ANNOTATIONS.wireguard),
  });
  const { 4: key4, 6: key6 } = NODE_ANNOTATIONS.keys;
  const [four, six] = [read(key4, readKey, 'WireGuard key'), read(key6, readKey, 'WireGuard key')];
  const fields: Fields = {
    ...(asNumber !== undefined && { asNumber }),
    ...(reflector !== undefined && { routeReflectorClusterId: reflector }),
    ...(subnets.length > 0 && { subnets }),
    ...(Object.keys(tunnelAddrs).length > 0 && { tunnelAddrs }),
    ...((four ?? six) !== undefined && {
      wireguardKeys: { ...(four !== undefined && { 4: four }), ...(six !== undefined && { 6: six }) },
    }),
  };
  return { fields, problems };
}

function present<K extends string>(lists: Readonly<Record<K, readonly Addr[]>>): Partial<Record<K, readonly Addr[]>> {
  const found: Partial<Record<K, readonly Addr[]>> = {};
  for (const key in lists) if (lists[key].length > 0) found[key] = lists[key];
  return found;
}

/** RFC 6793, asplain or (RFC 5396) asdot: 1 to 4294967294; 0 and 4294967295 are reserved (RFC 7607, RFC 7300). */
export function readAsNumber(text: string): number | undefined {
  const [, high, low] = /^(\d{1,10})(?:\.(\d{1,5}))?$/.exec(text) ?? [];
  if (high === undefined || (low !== undefined && (Number(high) > 65_535 || Number(low) > 65_535))) return undefined;
  const value = low === undefined ? Number(high) : Number(high) * 65_536 + Number(low);
  return value >= 1 && value <= 4_294_967_294 ? value : undefined;
}

function readIpv4(text: string): Addr | undefined {
  const addr = readAddr(text);
  return addr?.includes(':') ? undefined : addr;
}

/** A bare address is one of a subnet of its own, as Calico reads it. */
function readSubnet(text: string): IfAddr | undefined {
  if (text.includes('/')) return readIfAddr(text);
  const addr = readAddr(text);
  return addr === undefined ? undefined : readIfAddr(`${addr}/${addr.includes(':') ? 128 : 32}`);
}

/** 32 bytes in base64. */
function readKey(text: string): string | undefined {
  return /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text) ? text : undefined;
}
