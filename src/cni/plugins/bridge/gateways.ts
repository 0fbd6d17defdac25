/** Which addresses the bridge has, and what the pod's result says of gateways: pure. */

import type { BridgeConf } from '#cni/plugins/bridge/conf.ts';
import { type Addr, addrPlus, type Family } from '#net/addr.ts';
import {
  firstAddr,
  type IfAddr,
  ifAddr,
  lengthOf,
  networkOf,
  type Prefix,
  parsePrefix,
  prefixFamily,
} from '#net/prefix.ts';
import type { CniIp, CniResult, CniRoute } from '#wire/cni/result.ts';

const DEFAULT: Readonly<Record<Family, Prefix>> = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') };

export interface Gateways {
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  /** Of the bridge. */
  readonly addresses: readonly IfAddr[];
}

/**
 * The IPAM plugin's addresses and routes, with a gateway where it named none (the network's first address), and a
 * default route by it for each family that has none with a gateway of its own.
 */
export function gatewaysOf(conf: BridgeConf, ipam: CniResult, podInterface: number): Gateways {
  if (!conf.isGateway) {
    return { ips: ipam.ips.map((ip) => ({ ...ip, interface: podInterface })), routes: ipam.routes, addresses: [] };
  }
  const placed = ipam.ips.map((ip) => ({
    ...ip,
    gateway: ip.gateway ?? firstHost(ip.address),
    interface: podInterface,
  }));
  return {
    ips: placed,
    routes: conf.isDefaultGateway ? [...ipam.routes, ...missingDefaults(placed, ipam.routes)] : ipam.routes,
    addresses: placed.map(({ address, gateway }) => ifAddr(gateway, lengthOf(address))),
  };
}

function firstHost(address: IfAddr): Addr {
  return addrPlus(firstAddr(networkOf(address)), 1);
}

function missingDefaults(ips: readonly { address: IfAddr; gateway: Addr }[], routes: readonly CniRoute[]): CniRoute[] {
  return ([4, 6] as const).flatMap((family) => {
    const first = ips.find(({ address }) => prefixFamily(address) === family);
    const there = routes.some(({ dst, gw }) => dst === DEFAULT[family] && gw !== undefined);
    return first && !there ? [{ dst: DEFAULT[family], gw: first.gateway }] : [];
  });
}
