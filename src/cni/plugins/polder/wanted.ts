/**
 * What a pod's attachment looks like in the kernel: pure values, from which ADD makes its operations, CHECK its
 * comparison, and the result its contents.
 */

import { cidrFor, gatewayOf } from '#cni/ipam/range.ts';
import { HOST_MAC, macOf } from '#cni/plugins/polder/names.ts';
import { type Addr, bitsOf, type Family, familyOf, parseAddr } from '#net/addr.ts';
import type { Mac } from '#net/mac.ts';
import { hostPrefix, type IfAddr, ifAddr, lengthOf, type Prefix, parsePrefix } from '#net/prefix.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import type { NodeNetwork } from '#spec/node-network.ts';
import {
  type Address,
  type Neighbour,
  NUD_PERMANENT,
  PROTO_BOOT,
  PROTO_POLDER,
  type Route,
  TABLE_MAIN,
} from '#wire/netlink/values.ts';

/** The one next hop of every routed pod (Calico's); nobody has this address, the neighbour entry answers for it. */
export const GATEWAY: Readonly<Record<Family, Addr>> = { 4: parseAddr('169.254.1.1'), 6: parseAddr('fe80::1') };
export const DEFAULT: Readonly<Record<Family, Prefix>> = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') };

/** IFA_F_NODAD: the address is ours by allocation; waiting a second for duplicates helps nobody. */
const NODAD = 0x02;

export interface BridgeWanted {
  readonly name: string;
  readonly mac?: Mac;
  readonly mtu: number;
  readonly addresses: readonly Address[];
}

export interface Wanted {
  readonly mtu: number;
  readonly hostMac?: Mac;
  readonly bridge?: BridgeWanted;
  readonly hostRoutes: readonly Route[];
  readonly hostNeighbours: readonly Neighbour[];
  readonly podAddresses: readonly Address[];
  readonly podRoutes: readonly Route[];
  readonly podNeighbours: readonly Neighbour[];
  /** For the result: address, gateway. */
  readonly ips: readonly { readonly address: IfAddr; readonly gateway: Addr }[];
}

export function wantedOf(endpoint: LocalEndpoint, network: NodeNetwork, mtu: number): Wanted {
  return endpoint.attachment === 'routed' ? routed(endpoint, mtu) : bridged(endpoint, network, mtu);
}

function route(to: Prefix, more: Partial<Route>): Route {
  return { to, type: 'unicast', table: TABLE_MAIN, protocol: PROTO_BOOT, scope: 'global', hops: [], ...more };
}

function address(link: string, addr: IfAddr, family: Family): Address {
  return { link, address: addr, scope: 'global', ...(family === 6 && { flags: NODAD }) };
}

/** Calico's layout: nothing is on link but the gateway, which is a neighbour that never changes. */
function routed(endpoint: LocalEndpoint, mtu: number): Wanted {
  const { ifname, hostIfname, addrs, mac } = endpoint;
  const families = addrs.map(familyOf);
  return {
    mtu,
    hostMac: HOST_MAC,
    hostRoutes: addrs.map((addr) =>
      route(hostPrefix(addr), { protocol: PROTO_POLDER, ...onLink(familyOf(addr)), hops: [{ link: hostIfname }] }),
    ),
    // The host's own link-local address takes a second to be usable, without it the host cannot ask for the pod.
    hostNeighbours: addrs
      .filter((addr) => familyOf(addr) === 6)
      .map((addr) => ({ link: hostIfname, addr, mac, state: NUD_PERMANENT })),
    podAddresses: addrs.map((addr) => address(ifname, ifAddr(addr, bitsOf(familyOf(addr))), familyOf(addr))),
    podRoutes: families.flatMap((family) => [
      route(hostPrefix(GATEWAY[family]), { ...onLink(family), hops: [{ link: ifname }] }),
      route(DEFAULT[family], { hops: [{ via: GATEWAY[family], link: ifname }] }),
    ]),
    podNeighbours: families.map((family) => ({
      link: ifname,
      addr: GATEWAY[family],
      mac: HOST_MAC,
      state: NUD_PERMANENT,
    })),
    ips: addrs.map((addr) => ({ address: ifAddr(addr, bitsOf(familyOf(addr))), gateway: GATEWAY[familyOf(addr)] })),
  };
}

/** IPv6 knows no scope of routes: the kernel reports all of them as global. */
function onLink(family: Family): Partial<Route> {
  return family === 4 ? { scope: 'link' } : {};
}

/** Flannel's layout: a bridge with the CIDR's first address, pods on the same link. */
function bridged(endpoint: LocalEndpoint, network: NodeNetwork, mtu: number): Wanted {
  const { ifname, addrs } = endpoint;
  const placed = addrs.map((addr) => {
    const cidr = cidrFor(network.podCidrs, addr) ?? hostPrefix(addr);
    return { addr, gateway: gatewayOf(cidr), length: lengthOf(cidr), family: familyOf(addr) };
  });
  return {
    mtu,
    bridge: bridgeOf(network),
    hostRoutes: [],
    hostNeighbours: [],
    podAddresses: placed.map((p) => address(ifname, ifAddr(p.addr, p.length), p.family)),
    podRoutes: placed.map((p) => route(DEFAULT[p.family], { hops: [{ via: p.gateway, link: ifname }] })),
    podNeighbours: [],
    ips: placed.map((p) => ({ address: ifAddr(p.addr, p.length), gateway: p.gateway })),
  };
}

/** The node's bridge. Its hardware address is set, so that it does not follow the lowest of its ports. */
export function bridgeOf(network: NodeNetwork): BridgeWanted {
  const gateways = network.podCidrs.map((cidr) => ({ gateway: gatewayOf(cidr), length: lengthOf(cidr) }));
  const v4 = gateways.find(({ gateway }) => familyOf(gateway) === 4);
  return {
    name: network.bridge,
    ...(v4 && { mac: macOf(v4.gateway) }),
    mtu: network.mtu,
    addresses: gateways.map(({ gateway, length }) =>
      address(network.bridge, ifAddr(gateway, length), familyOf(gateway)),
    ),
  };
}
