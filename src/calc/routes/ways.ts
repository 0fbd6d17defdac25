/** The way to a network of another node, by what the pool that holds it says. */

import type { Claim } from '#calc/routes/claims.ts';
import { problem } from '#calc/routes/problems.ts';
import { macOfNames } from '#calc/routes/vtep-mac.ts';
import type { Problem, Underlay, Way } from '#calc/state.ts';
import { type Addr, type Family, familyOf } from '#net/addr.ts';
import { type Mac, readMac } from '#net/mac.ts';
import { contains, containsPrefix, firstAddr, lengthOf, networkOf, type Prefix, prefixFamily } from '#net/prefix.ts';
import type { ClusterNode, Devices, TunnelKind } from '#spec/cluster.ts';
import type { EncapsulationMode, Pool } from '#spec/pool.ts';
import type { WayKind } from '#spec/ways.ts';

/** Hardware address of a node's VXLAN device: from its name, unless its annotation says another. */
export function vtepMacOf(node: Pick<ClusterNode, 'name' | 'vtepMac'>): Mac {
  return readMac(node.vtepMac ?? '') ?? macOfNames(node.name, 'vtep');
}

/** A node's address of a family, if it has one. */
export function addrOfFamily(node: ClusterNode, family: Family): Addr | undefined {
  return familyOf(node.addr) === family ? node.addr : node.addrs.find((addr) => familyOf(addr) === family);
}

/** The smallest pool that holds the network. */
export function poolOfNetwork(pools: readonly Pool[], network: Prefix): Pool | undefined {
  const holding = pools.filter(({ cidr }) => containsPrefix(cidr, network));
  return holding.sort((a, b) => lengthOf(b.cidr) - lengthOf(a.cidr))[0];
}

/** What of this node the way depends on. */
export interface Here {
  readonly node: ClusterNode;
  readonly underlay: Underlay;
  readonly devices: Devices;
}

/**
 * What the pool says, as soon as both nodes take it; until then what both take. Undefined kinds: one of them has said
 * nothing. A pool that leads nowhere (a far node, no tunnel) leaves in use what still works.
 */
export function wayNow(claim: Claim, pool: Pool, here: Here, both: readonly WayKind[] | undefined): Way | Problem {
  const goal = wayTo(claim, pool, here);
  if (!both || (!('code' in goal) && both.includes(goal.kind))) return goal;
  const ways = both.map((kind) => (kind === 'wireguard' || kind === 'bgp' ? undefined : MAKERS[kind](claim, here)));
  return ways.find((way) => way !== undefined && !('code' in way)) ?? goal;
}

const MAKERS = {
  ipip: (claim: Claim, here: Here) => (prefixFamily(claim.network) === 4 ? ipip(claim, here) : undefined),
  vxlan,
  direct,
} as const satisfies Record<
  Exclude<WayKind, 'wireguard' | 'bgp'>,
  (claim: Claim, here: Here) => Way | Problem | undefined
>;

/** IPIP before VXLAN, which one pool cannot both have. */
export function wayTo(claim: Claim, pool: Pool, here: Here): Way | Problem {
  const near = isNear(claim, here);
  if (prefixFamily(claim.network) === 4 && isUsed(pool.ipip, near)) return ipip(claim, here);
  return isUsed(pool.vxlan, near) ? vxlan(claim, here) : direct(claim, here);
}

function isUsed(mode: EncapsulationMode, near: boolean): boolean {
  return mode === 'always' || (mode === 'cross-subnet' && !near);
}

/** On a subnet of ours, by its address of the network's own family. */
function isNear({ node, network }: Claim, { underlay }: Here): boolean {
  const addr = addrOfFamily(node, prefixFamily(network)) ?? node.addr;
  return underlay.addrs.some((own) => contains(networkOf(own), addr));
}

function ipip({ node, network }: Claim, { devices }: Here): Way | Problem {
  const remote = addrOfFamily(node, 4);
  if (remote !== undefined) return { kind: 'ipip', device: devices.ipip.device, remote };
  return problem('no-node-addr', node.name, { cidr: network, addr: node.addr, family: 4, tunnel: 'IPIP' });
}

/** One device carries both families; outer packets have the family of the nodes' first addresses. */
function vxlan({ node, network }: Claim, { node: self, devices }: Here): Way | Problem {
  const { device } = devices.vxlan;
  const outer = familyOf(self.addr);
  const remote = addrOfFamily(node, outer);
  if (remote === undefined)
    return problem('no-node-addr', node.name, { cidr: network, addr: node.addr, family: outer, tunnel: 'VXLAN' });
  const vtep = tunnelAddrOf(node, 'vxlan', prefixFamily(network)) ?? firstAddr(network);
  return { kind: 'vxlan', device, vtep, mac: vtepMacOf(node), remote };
}

/** What a node said that its device has. */
export function tunnelAddrOf(node: ClusterNode, kind: TunnelKind, family: Family): Addr | undefined {
  return node.tunnelAddrs?.[kind]?.find((addr) => familyOf(addr) === family);
}

function direct({ node, network }: Claim, { underlay }: Here): Way | Problem {
  const via = addrOfFamily(node, prefixFamily(network));
  if (via === undefined) return problem('family-mismatch', node.name, { cidr: network, addr: node.addr });
  const subnets = underlay.addrs.filter((own) => prefixFamily(own) === prefixFamily(network));
  if (subnets.some((own) => contains(networkOf(own), via))) {
    return { kind: 'direct', via, ifname: underlay.ifname };
  }
  const details = { addr: via, ifname: underlay.ifname, subnets: subnets.join(', ') || 'none' };
  return problem('other-subnet', node.name, details);
}
