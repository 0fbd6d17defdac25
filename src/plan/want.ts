/** NodeState -> the kernel's objects that it consists of. */

import type { BridgeState, NodeState, PeerNetwork, PodRoute, TunnelState } from '#calc/state.ts';
import { type Addr, bitsOf, type Family, familyOf } from '#net/addr.ts';
import { hostPrefix, type IfAddr, type Prefix, parsePrefix, prefixFamily } from '#net/prefix.ts';
import { OWN_ALIAS, type Sysctl, type Wanted } from '#plan/objects.ts';
import {
  type Address,
  type FdbEntry,
  type Neighbour,
  type NewLink,
  NUD_PERMANENT,
  PROTO_POLDER,
  type Route,
  TABLE_MAIN,
} from '#wire/netlink/values.ts';
import { match, payload, prefixExpr } from '#wire/nft/build.ts';
import type { Rule, Table } from '#wire/nft/values.ts';

/** NTF_SELF of linux/neighbour.h: the entry is the device's own, not its bridge's. */
const NTF_SELF = 0x02;
/** IFA_F_NODAD of linux/if_addr.h: usable at once. */
const IFA_F_NODAD = 0x02;
/** The kernel's own default for IPv6 (IP6_RT_PRIO_USER), said aloud so that reading it back gives the same. */
const METRIC_V6 = 1024;

/** What the kernel must hold for this state. */
export function want(state: NodeState): Wanted {
  const { bridge, tunnels } = state;
  return {
    links: [...(bridge ? [bridgeLink(bridge)] : []), ...tunnels.map(tunnelLink)],
    addresses: [
      ...addressesOf(bridge?.name, bridge?.addrs),
      ...tunnels.flatMap(({ device, addrs }) => addressesOf(device, addrs)),
    ],
    neighbours: state.peers.flatMap(neighbourOf),
    fdb: uniqueBy(state.peers.flatMap(fdbOf), (entry) => `${entry.link} ${entry.mac}`),
    routes: [...state.blackholes.map(blackhole), ...state.peers.map(peerRoute), ...state.pods.map(podRoute)],
    sysctls: state.forwarding.map(forwarding),
    nft: natTable(state.masquerade),
  };
}

function bridgeLink({ name, mac, mtu }: BridgeState): NewLink {
  return { name, info: { kind: 'bridge' }, mac, mtu, up: true, alias: OWN_ALIAS };
}

/** No learning: every entry is known beforehand, and a stray frame must not teach a wrong one. */
function tunnelLink({ device, vni, port, local, underlay, mac, mtu }: TunnelState): NewLink {
  const info = { kind: 'vxlan', vni, port, local, underlay, learning: false } as const;
  return { name: device, info, mac, mtu, up: true, alias: OWN_ALIAS };
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

function fdbOf({ way }: PeerNetwork): FdbEntry[] {
  if (way.kind !== 'vxlan') return [];
  return [{ link: way.device, mac: way.mac, dst: way.remote, state: NUD_PERMANENT, flags: NTF_SELF }];
}

/** onlink: the peer's tunnel address lies in the very network that the route leads to. */
function peerRoute({ network, way }: PeerNetwork): Route {
  if (way.kind === 'direct') return route(network, 'global', [{ via: way.via, link: way.ifname }]);
  return route(network, 'global', [{ via: way.vtep, link: way.device, onlink: true }]);
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

/** `srcnat` of nft(8). */
const PRIO_SRCNAT = 100;

/** What leaves the pod network gets the node's address, else nobody outside could answer; multicast goes as it is. */
function natTable(networks: readonly Prefix[]): Table {
  if (networks.length === 0) return { sets: [], chains: [] };
  const base = { type: 'nat', hook: 'postrouting', prio: PRIO_SRCNAT, policy: 'accept' } as const;
  return { sets: [], chains: [{ name: 'postrouting', base, rules: networks.map(masqueradeRule) }] };
}

function masqueradeRule(network: Prefix): Rule {
  const family = prefixFamily(network);
  const protocol = family === 4 ? 'ip' : 'ip6';
  const multicast = parsePrefix(family === 4 ? '224.0.0.0/4' : 'ff00::/8');
  const to = payload(protocol, 'daddr');
  return {
    expr: [
      match(payload(protocol, 'saddr'), prefixExpr(network)),
      match(to, prefixExpr(network), '!='),
      match(to, prefixExpr(multicast), '!='),
      { masquerade: { flags: 'fully-random' } },
    ],
    comment: 'masquerade what leaves the pod network',
  };
}

function uniqueBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}
