/** What the fast path must know: the node's pods and the ways to the others, IPv4 only. */

import type { FastPathState, NodeState, PeerNetwork, TunnelState, Underlay } from '#calc/state.ts';
import { compareAddr, familyOf } from '#net/addr.ts';
import { prefixFamily } from '#net/prefix.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';

type Known = Pick<NodeState, 'peers' | 'underlay' | 'tunnels' | 'podMtu' | 'wireguard'>;

export function fastPathOf(endpoints: readonly LocalEndpoint[], state: Known): FastPathState {
  const { underlay, tunnels, podMtu } = state;
  const vxlan = tunnels.filter(({ kind }) => kind === 'vxlan').map(({ device }) => device);
  const uplinks = tunnels.length === 0 || state.peers.some(({ way }) => way.kind === 'direct') ? [underlay.ifname] : [];
  return { pods: podsOf(endpoints), podMtu, ways: waysOf(state), uplinks: [...vxlan, ...uplinks] };
}

function podsOf(endpoints: readonly LocalEndpoint[]): FastPathState['pods'] {
  const all = endpoints.flatMap(({ addrs, hostIfname, mac }) =>
    addrs.map((addr) => ({ addr, ifname: hostIfname, mac })),
  );
  const byAddr = new Map(all.filter(({ addr }) => familyOf(addr) === 4).map((pod) => [pod.addr, pod]));
  return [...byAddr.values()].sort((a, b) => compareAddr(a.addr, b.addr));
}

/** Only what needs nothing but a next hop: what is to be encrypted, and what IPIP carries, goes the ordinary way. */
function waysOf({ peers, underlay, tunnels, wireguard }: Known): FastPathState['ways'] {
  const leads = wireguard.flatMap((device) => device.peers.filter(({ routes }) => routes.length > 0));
  const encrypted = new Set(leads.map(({ node }) => node));
  const closed = new Set(wireguard.flatMap((device) => device.closed));
  const open = peers.filter(
    ({ node, network }) => prefixFamily(network) === 4 && !encrypted.has(node) && !closed.has(network),
  );
  return open.flatMap(({ network, way }) => {
    const out = way.kind === 'ipip' ? undefined : outOf(way, underlay, tunnels);
    return way.kind === 'ipip' || !out
      ? []
      : [{ to: network, via: way.kind === 'direct' ? way.via : way.vtep, ...out }];
  });
}

function outOf(
  way: Exclude<PeerNetwork['way'], { kind: 'ipip' }>,
  { ifname, mtu }: Underlay,
  tunnels: readonly TunnelState[],
): { readonly ifname: string; readonly mtu: number } | undefined {
  if (way.kind === 'direct') return { ifname, mtu };
  const tunnel = tunnels.find(({ device }) => device === way.device);
  return tunnel && { ifname: tunnel.device, mtu: tunnel.mtu };
}
