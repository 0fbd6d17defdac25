/** Addresses and routes of a result onto the pod's interface, as the reference plugins put them there. */

import { runOn } from '#cni/parts/run.ts';
import type { PodNetns } from '#cni/plugin.ts';
import { type Addr, addrFromBigInt, addrToBigInt, type Family, familyOf } from '#net/addr.ts';
import { addrOf, type IfAddr, lengthOf, prefixFamily } from '#net/prefix.ts';
import type { CniIp, CniResult, CniRoute } from '#wire/cni/result.ts';
import { scopeName } from '#wire/netlink/scope.ts';
import { type Address, type NetlinkOp, PROTO_BOOT, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

export interface ConfigureOptions {
  /** IPv6 duplicate address detection, which delays the address by a second; off: it is ours by allocation. */
  readonly dad?: boolean;
  /** Gratuitous ARP and unsolicited neighbour advertisements, so that neighbours forget the address's last holder. */
  readonly announce?: boolean;
  /** To be done in the pod with the same request. */
  readonly then?: readonly NetlinkOp[];
  /** errno's names that are no failure. */
  readonly tolerated?: readonly string[];
}

/** Sets the interface up with its addresses, then its routes, then does what follows. @throws PolderError kernel-refused */
export function configureInterface(
  pod: PodNetns,
  ifname: string,
  { ips, routes }: Pick<CniResult, 'ips' | 'routes'>,
  { dad = false, announce = true, then = [], tolerated = [] }: ConfigureOptions = {},
): void {
  prepare(pod, ifname, ips, dad, announce);
  const ops: NetlinkOp[] = [
    ...(announce ? [{ op: 'link.set', name: ifname, change: { arpNotify: true } } as const] : []),
    ...ips.map(({ address }) => ({ op: 'addr.add', address: addressOn(ifname, address, dad) }) as const),
    { op: 'link.set', name: ifname, change: { up: true } },
    ...routesOn(ifname, ips, routes).map((route) => ({ op: 'route.append', route }) as const),
    ...then,
  ];
  runOn(pod.netlink, ifname, ops, ...tolerated);
}

/**
 * The kernel announces an address by itself when the interface comes up, if it is told so before. What is only of use
 * with IPv6 addresses is left where there is none: each parameter of a new interface costs as much as a route.
 */
function prepare(pod: PodNetns, ifname: string, ips: readonly CniIp[], dad: boolean, announce: boolean): void {
  if (!ips.some(({ address }) => prefixFamily(address) === 6)) return;
  pod.within(() => {
    if (announce) set(pod, `net/ipv6/conf/${ifname}/ndisc_notify`, '1');
    // On a bridge in hairpin mode a port hears its own solicitation and would take itself for a duplicate.
    if (!dad) set(pod, `net/ipv6/conf/${ifname}/accept_dad`, '0');
    for (const name of ['lo', ifname]) set(pod, `net/ipv6/conf/${name}/disable_ipv6`, '0');
  });
}

/** A kernel without IPv6 has no such parameter; the address that needs it is then refused by itself. */
function set(pod: PodNetns, name: string, value: string): void {
  try {
    pod.writeSysctl(name, value);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

/** IFA_F_NODAD. */
const NODAD = 0x02;

export function addressOn(link: string, address: IfAddr, dad = true): Address {
  const broadcast = broadcastOf(address);
  const quick = !dad && prefixFamily(address) === 6;
  return { link, address, scope: 'global', ...(broadcast && { broadcast }), ...(quick && { flags: NODAD }) };
}

/** The last address of an IPv4 network that is large enough to have one (RFC 3021: /31 and /32 have none). */
function broadcastOf(address: IfAddr): Addr | undefined {
  const length = lengthOf(address);
  if (prefixFamily(address) === 6 || length > 30) return undefined;
  const host = (1n << BigInt(32 - length)) - 1n;
  return addrFromBigInt(addrToBigInt(addrOf(address)) | host, 4);
}

/** Routes of a result as the kernel's: one without a gateway goes by the gateway of the addresses of its family. */
export function routesOn(ifname: string, ips: readonly CniIp[], routes: readonly CniRoute[]): Route[] {
  return routes.map((route) => routeOn(ifname, route, gatewayOf(ips, prefixFamily(route.dst))));
}

function gatewayOf(ips: readonly CniIp[], family: Family): Addr | undefined {
  return ips.find(({ gateway }) => gateway && familyOf(gateway) === family)?.gateway;
}

/** For the kernel, too, 0 says nothing of a route: table `unspec` is main. */
function routeOn(link: string, route: CniRoute, gateway: Addr | undefined): Route {
  const { dst, gw, mtu, advmss, priority, table, scope } = route;
  const via = gw ?? (scope === undefined || scope === 0 ? gateway : undefined);
  return {
    to: dst,
    type: 'unicast',
    table: table || TABLE_MAIN,
    protocol: PROTO_BOOT,
    scope: scopeName(scope ?? 0),
    hops: [via ? { via, link } : { link }],
    ...(priority && { metric: priority }),
    ...(mtu && { mtu }),
    ...(advmss && { advmss }),
  };
}
