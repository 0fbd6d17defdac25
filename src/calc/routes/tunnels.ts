/** The devices that packets are taken by: those that pools ask for, and those that are still in use. */

import { isHost } from '#calc/routes/claims.ts';
import { tunnelMtu } from '#calc/routes/mtu.ts';
import { addrOfFamily, vtepMacOf } from '#calc/routes/ways.ts';
import type { Features, IpipState, TunnelState, Underlay, VxlanState } from '#calc/state.ts';
import { type Addr, compareAddr, type Family, familyOf } from '#net/addr.ts';
import { addrOf, firstAddr, hostPrefix, type IfAddr, ifAddr, lengthOf } from '#net/prefix.ts';
import type { ClusterNode, Snapshot, TunnelKind } from '#spec/cluster.ts';
import type { WayKind } from '#spec/ways.ts';

/** Of these kinds. Sorted by name. */
export function tunnelsOf(
  snapshot: Snapshot,
  self: ClusterNode,
  underlay: Underlay,
  features: Features,
  kinds: ReadonlySet<WayKind>,
): TunnelState[] {
  const found = [
    kinds.has('vxlan') ? vxlanOf(snapshot, self, underlay) : undefined,
    kinds.has('ipip') ? ipipOf(snapshot, self, underlay, features) : undefined,
  ];
  return found.filter((tunnel) => tunnel !== undefined).sort((a, b) => (a.device < b.device ? -1 : 1));
}

function vxlanOf(snapshot: Snapshot, self: ClusterNode, underlay: Underlay): VxlanState {
  const { config, felix } = snapshot;
  const outer = familyOf(self.addr);
  return {
    kind: 'vxlan',
    ...config.profile.devices.vxlan,
    ...felix.vxlan,
    local: self.addr,
    underlay: underlay.ifname,
    mac: vtepMacOf(self),
    addrs: deviceAddrs(snapshot, self, 'vxlan', [4, 6]),
    mtu: felix.vxlanMtus[outer] ?? tunnelMtu('vxlan', underlay.mtu, outer),
  };
}

/** None on a node that has no IPv4 address to put into outer headers. */
function ipipOf(snapshot: Snapshot, self: ClusterNode, underlay: Underlay, features: Features): IpipState | undefined {
  const { config, felix } = snapshot;
  const local = addrOfFamily(self, 4);
  if (local === undefined) return undefined;
  const others = snapshot.nodes.filter(({ name }) => name !== self.name);
  return {
    kind: 'ipip',
    device: config.profile.devices.ipip.device,
    local,
    underlay: underlay.ifname,
    addrs: deviceAddrs(snapshot, self, 'ipip', [4]),
    mtu: felix.ipipMtu ?? tunnelMtu('ipip', underlay.mtu, 4),
    remotes: [...new Set(others.flatMap(ipv4Of))].sort(compareAddr),
    standIn: !features.ipip,
  };
}

function ipv4Of(node: ClusterNode): Addr[] {
  return node.addrs.filter((addr) => familyOf(addr) === 4);
}

/**
 * What the node itself speaks to remote pods with, so that answers come back by the tunnel: the address that was
 * allocated for the device, else the first one of each node CIDR, which no pod gets. Blocks have no such address: all of
 * theirs are for pods.
 */
export function deviceAddrs(
  { config }: Snapshot,
  self: ClusterNode,
  kind: TunnelKind,
  families: readonly Family[],
): IfAddr[] {
  const said = self.tunnelAddrs?.[kind] ?? [];
  const firsts = config.profile.ipam === 'node-cidr' ? self.networks.filter((n) => !isHost(n)).map(firstAddr) : [];
  const addrs = said.length > 0 ? said : firsts;
  return addrs.filter((addr) => families.includes(familyOf(addr))).map(hostAddr);
}

function hostAddr(addr: Addr): IfAddr {
  const host = hostPrefix(addr);
  return ifAddr(addrOf(host), lengthOf(host));
}
