/** Snapshot -> what this node's BGP speaker must do. */

import { asNumberOf, configurationOf, sessionsOf } from '#calc/bgp/sessions.ts';
import type { BgpPool, BgpState } from '#calc/bgp/state.ts';
import { problem } from '#calc/routes/problems.ts';
import type { Problem, Underlay } from '#calc/state.ts';
import { type Addr, addrFromBigInt, familyOf } from '#net/addr.ts';
import { contains, hostPrefix, networkOf, type Prefix, prefixFamily } from '#net/prefix.ts';
import { MAX_AS_NUMBER } from '#spec/bgp.ts';
import type { ClusterNode, Profile, Snapshot } from '#spec/cluster.ts';
import type { Pool } from '#spec/pool.ts';

export interface BgpOutcome {
  /** Absent: this node speaks no BGP. */
  readonly state?: BgpState;
  readonly problems: readonly Problem[];
}

/** Label by which a node is kept out of load balancing, and so out of what is said of Services. */
const NO_LOAD_BALANCER = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** The same for any order of the snapshot's lists. `held`: networks whose routes are the agent's for now. */
export function calcBgp(
  snapshot: Snapshot,
  self: ClusterNode,
  underlay: Underlay,
  held: readonly Prefix[] = [],
): BgpOutcome {
  const { config, bgp } = snapshot;
  const configuration = configurationOf(bgp, self.name);
  const asNumber = asNumberOf(bgp, self);
  if (!Number.isInteger(asNumber) || asNumber < 1 || asNumber > MAX_AS_NUMBER) {
    return { problems: [problem('bgp-as', self.name, { as: asNumber, max: MAX_AS_NUMBER })] };
  }
  const subnets = [...new Set((self.subnets ?? underlay.addrs).map(networkOf))].sort();
  const { sessions, problems } = sessionsOf(snapshot, self, subnets);
  const used = new Set(sessions.flatMap(({ filters }) => filters));
  const state: BgpState = {
    node: self.name,
    routerId: routerIdOf(self),
    asNumber,
    listenPort: configuration.listenPort,
    strictBind: configuration.bindMode === 'NodeIP',
    sessions,
    announced: announcedBy(snapshot, self),
    pools: [...snapshot.pools].map((pool) => poolOf(pool, config.profile)).sort(byName),
    held: [...held].sort(),
    subnets,
    communities: configuration.prefixAdvertisements,
    filters: bgp.filters.filter(({ name }) => used.has(name)).sort(byName),
    ignoredInterfaces: [...new Set([`${config.profile.hostIfPrefix}*`, ...configuration.ignoredInterfaces])],
  };
  return { state, problems };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

/** A node that speaks on for the others' sake, while the cluster changes to the agents' routes, goes by its own already. */
function poolOf({ name, cidr, ipip, vxlan, disableBgpExport }: Pool, { distribution, devices }: Profile): BgpPool {
  const byBird = distribution === 'bird' && vxlan === 'never';
  return {
    name,
    cidr,
    exported: !disableBgpExport,
    kernel: byBird ? 'bird' : 'agent',
    ...(byBird && ipip !== 'never' ? { tunnel: { device: devices.ipip.device, when: ipip } } : {}),
  };
}

/**
 * A Service's address is announced by every node as part of its network: whichever node it comes to leads it on. Where
 * outsiders are to come to nodes with an endpoint only, these announce the address itself, and the longest prefix wins.
 */
function announcedBy({ bgp, services }: Snapshot, self: ClusterNode): Prefix[] {
  const { serviceClusterIps, serviceExternalIps, serviceLoadBalancerIps } = configurationOf(bgp, self.name);
  const said = [
    ...[...serviceClusterIps, ...serviceExternalIps, ...serviceLoadBalancerIps],
    ...within(services?.clusterIps, serviceClusterIps),
    ...within(services?.externalIps, serviceExternalIps),
    ...within(services?.loadBalancerIps, serviceLoadBalancerIps),
  ];
  const all = [...new Set([...self.networks, ...(Object.hasOwn(self.labels, NO_LOAD_BALANCER) ? [] : said)])];
  return all.sort((a, b) => prefixFamily(a) - prefixFamily(b) || (a < b ? -1 : 1));
}

function within(addrs: readonly Addr[] = [], networks: readonly Prefix[]): Prefix[] {
  return addrs.filter((addr) => networks.some((network) => contains(network, addr))).map(hostPrefix);
}

/** FNV-1a, 32 bits (RFC 9923). */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/** RFC 6286: any number that is unique in the AS, and not 0. */
function routerIdOf(self: ClusterNode): Addr {
  const own = self.addrs.find((addr) => familyOf(addr) === 4);
  if (own !== undefined) return own;
  let hash = OFFSET;
  for (const byte of new TextEncoder().encode(self.name)) hash = Math.imul(hash ^ byte, PRIME) >>> 0;
  return addrFromBigInt(BigInt(hash || 1), 4);
}
