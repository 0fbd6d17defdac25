/** What the fast path must know: the node's pods and the ways to the others, IPv4 only. */

import type { FastPathState, PeerNetwork, TunnelState, Underlay } from '#calc/state.ts';
import { compareAddr, familyOf } from '#net/addr.ts';
import { prefixFamily } from '#net/prefix.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';

export function fastPathOf(
  endpoints: readonly LocalEndpoint[],
  peers: readonly PeerNetwork[],
  underlay: Underlay,
  tunnel: TunnelState | undefined,
  podMtu: number,
): FastPathState {
  const out = tunnel ? { ifname: tunnel.device, mtu: tunnel.mtu } : { ifname: underlay.ifname, mtu: underlay.mtu };
  return { pods: podsOf(endpoints), podMtu, ways: waysOf(peers, out), uplinks: [out.ifname] };
}

function podsOf(endpoints: readonly LocalEndpoint[]): FastPathState['pods'] {
  const all = endpoints.flatMap(({ addrs, hostIfname, mac }) =>
    addrs.map((addr) => ({ addr, ifname: hostIfname, mac })),
  );
  const byAddr = new Map(all.filter(({ addr }) => familyOf(addr) === 4).map((pod) => [pod.addr, pod]));
  return [...byAddr.values()].sort((a, b) => compareAddr(a.addr, b.addr));
}

function waysOf(peers: readonly PeerNetwork[], out: { ifname: string; mtu: number }): FastPathState['ways'] {
  const reachable = peers.filter(({ network }) => prefixFamily(network) === 4);
  return reachable.map(({ network, way }) => ({
    to: network,
    via: way.kind === 'direct' ? way.via : way.vtep,
    ...out,
  }));
}
