/** NodeState -> the kernel's objects that it consists of. */

import type {
  BridgeState,
  IpipState,
  NodeState,
  PeerNetwork,
  PodRoute,
  TunnelState,
  VxlanState,
  Way,
  WireguardState,
} from '#calc/state.ts';
import { type Addr, bitsOf, type Family, familyOf } from '#net/addr.ts';
import { addrOf, hostPrefix, type IfAddr, type Prefix, prefixFamily } from '#net/prefix.ts';
import {
  BESIDE_METRIC,
  OWN_ALIAS,
  type Sysctl,
  type Wanted,
  type WantedWireguard,
  WIREGUARD_MARK,
  WIREGUARD_TABLE,
} from '#plan/objects.ts';
import { ownTable } from '#plan/own-table.ts';
import { macOfRemote } from '#wire/bpf/ipip.ts';
import {
  type Address,
  type FdbEntry,
  type Neighbour,
  type NewLink,
  NUD_PERMANENT,
  PROTO_POLDER,
  type Route,
  type Rule,
  TABLE_MAIN,
} from '#wire/netlink/values.ts';

/** NTF_SELF of linux/neighbour.h: the entry is the device's own, not its bridge's. */
const NTF_SELF = 0x02;
/** IFA_F_NODAD of linux/if_addr.h: usable at once. */
const IFA_F_NODAD = 0x02;
/** The kernel's own default for IPv6 (IP6_RT_PRIO_USER), said aloud so that reading it back gives the same. */
const METRIC_V6 = 1024;
/** Taken where nothing better is there. */
const LAST_METRIC = 0x100000;

/** What the kernel must hold for this state. */
export function want(state: NodeState): Wanted {
  const { bridge, tunnels, wireguard } = state;
  const programmed = state.peers.filter(({ route }) => route !== 'bird');
  return {
    links: [...(bridge ? [bridgeLink(bridge)] : []), ...tunnels.map(tunnelLink), ...wireguard.map(wireguardLink)],
    addresses: [
      ...addressesOf(bridge?.name, bridge?.addrs),
      ...[...tunnels, ...wireguard].flatMap(({ device, addrs }) => addressesOf(device, addrs)),
    ],
    neighbours: uniqueBy(
      [...state.peers.flatMap(neighbourOf), ...standInNeighbours(state)],
      ({ link, addr }) => `${link} ${addr}`,
    ),
    fdb: uniqueBy(state.peers.flatMap(fdbOf), (entry) => `${entry.link} ${entry.mac}`),
    routes: [
      ...state.blackholes.map(blackhole),
      ...programmed.map(peerRoute),
      ...state.pods.map(podRoute),
      ...wireguard.flatMap(encryptedRoutes),
    ],
    rules: wireguard.map(encryptionRule),
    wireguard: wireguard.map(wireguardDevice),
    sysctls: state.forwarding.map(forwarding),
    nft: ownTable(state),
  };
}

function bridgeLink({ name, mac, mtu }: BridgeState): NewLink {
  return { name, info: { kind: 'bridge' }, mac, mtu, up: true, alias: OWN_ALIAS };
}

function tunnelLink(tunnel: TunnelState): NewLink {
  return tunnel.kind === 'vxlan' ? vxlanLink(tunnel) : ipipLink(tunnel);
}

/** No learning: every entry is known beforehand, and a stray frame must not teach a wrong one. */
function vxlanLink({ device, vni, port, local, underlay, mac, mtu }: VxlanState): NewLink {
  const info = { kind: 'vxlan', vni, port, local, underlay, learning: false } as const;
  return { name: device, info, mac, mtu, up: true, alias: OWN_ALIAS };
}

/** Any remote address, as each route says its own. What stands in needs no neighbours either. */
function ipipLink({ device, mtu, standIn }: IpipState): NewLink {
  const info = standIn ? ({ kind: 'ifb' } as const) : ({ kind: 'ipip', ttl: 0, pmtuDiscovery: true } as const);
  return { name: device, info, mtu, up: true, alias: OWN_ALIAS };
}

function wireguardLink({ device, mtu }: WireguardState): NewLink {
  return { name: device, info: { kind: 'wireguard' }, mtu, up: true, alias: OWN_ALIAS };
}

function wireguardDevice({ device, publicKey, port, keepalive, peers }: WireguardState): WantedWireguard {
  const wanted = peers.map((peer) => ({
    publicKey: peer.publicKey,
    endpoint: { addr: peer.endpoint, port: peer.port },
    keepalive,
    allowedIps: peer.allowedIps,
  }));
  return { device, publicKey, port, mark: WIREGUARD_MARK, peers: wanted };
}

/**
 * A table beside the main one: it wins whatever the main one says, and its end leaves the main one as it was. Should the
 * device go, the routes over it go with it, and what is closed stays closed.
 */
function encryptedRoutes({ device, peers, closed, exceptions }: WireguardState): Route[] {
  const inTable = (each: Route): Route => ({ ...each, table: WIREGUARD_TABLE });
  const over = (to: Prefix) => route(to, onLinkScope(addrOf(to)), [{ link: device }]);
  return [
    ...peers.flatMap((peer) => peer.routes.map((to) => inTable(over(to)))),
    ...closed.map((to) => inTable({ ...route(to, 'global', []), type: 'unreachable', metric: LAST_METRIC })),
    ...exceptions.map((to) => inTable({ ...route(to, 'global', []), type: 'throw' })),
  ];
}

/** What WireGuard itself sends bears the mark and goes by the main table. */
function encryptionRule({ family, rulePriority }: WireguardState): Rule {
  return {
    family,
    priority: rulePriority,
    table: WIREGUARD_TABLE,
    invert: true,
    mark: { value: WIREGUARD_MARK, mask: WIREGUARD_MARK },
    protocol: PROTO_POLDER,
  };
}

function addressesOf(link: string | undefined, addrs: readonly IfAddr[] = []): Address[] {
  if (link === undefined) return [];
  return addrs.map((address) => {
    const flags = prefixFamily(address) === 6 ? { flags: IFA_F_NODAD } : {};
    return { link, address, scope: 'global', ...flags };
  });
}

function neighbourOf({ way }: PeerNetwork): Neighbour[] {
  return way.kind === 'vxlan' ? [{ link: way.device, addr: way.vtep, mac: way.mac, state: NUD_PERMANENT }] : [];
}

/**
 * What stands in for IPIP reads the remote address from the next hop's hardware address. All nodes are neighbours as long as
 * the device is there, not those alone that the agent leads to: BIRD's routes lead over it too, and go in their own time.
 */
function standInNeighbours({ tunnels }: NodeState): Neighbour[] {
  const standIns = tunnels.filter((each) => each.kind === 'ipip').filter(({ standIn }) => standIn);
  return standIns.flatMap(({ device, remotes }) =>
    remotes.map((addr) => ({ link: device, addr, mac: macOfRemote(addr), state: NUD_PERMANENT })),
  );
}

function fdbOf({ way }: PeerNetwork): FdbEntry[] {
  if (way.kind !== 'vxlan') return [];
  return [{ link: way.device, mac: way.mac, dst: way.remote, state: NUD_PERMANENT, flags: NTF_SELF }];
}

/** onlink: the peer's tunnel address lies in the very network that the route leads to, its own address not on tunl0. */
function peerRoute({ network, way, route: whose }: PeerNetwork): Route {
  const made = wayRoute(network, way);
  return whose === 'beside' ? { ...made, metric: BESIDE_METRIC } : made;
}

function wayRoute(network: Prefix, way: Way): Route {
  if (way.kind === 'direct') return route(network, 'global', [{ via: way.via, link: way.ifname }]);
  const via = way.kind === 'ipip' ? way.remote : way.vtep;
  return route(network, 'global', [{ via, link: way.device, onlink: true }]);
}

function podRoute({ addr, ifname }: PodRoute): Route {
  return route(hostPrefix(addr), onLinkScope(addr), [{ link: ifname }]);
}

function blackhole(to: Prefix): Route {
  return { ...route(to, 'global', []), type: 'blackhole' };
}

/** IPv6 routes have no scope of their own; the kernel always says global. */
function onLinkScope(addr: Addr): Route['scope'] {
  return bitsOf(familyOf(addr)) === 32 ? 'link' : 'global';
}

function route(to: Prefix, scope: Route['scope'], hops: Route['hops']): Route {
  const metric = prefixFamily(to) === 6 ? { metric: METRIC_V6 } : {};
  return { to, type: 'unicast', table: TABLE_MAIN, protocol: PROTO_POLDER, scope, hops, ...metric };
}

function forwarding(family: Family): Sysctl {
  return { name: family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding', value: '1' };
}

function uniqueBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}
