/**
 * The nftables table of `portmap`: a port is an element of a map, so that a new connection costs one look-up however
 * many there are. Each element bears its owner as a comment, by which DEL and GC find it again.
 *
 *     ports4   protocol . port            : pod . port     for all addresses of the node
 *     addrs4   address . protocol . port  : pod . port     for one of them
 *     masq4    source . pod . protocol . port             what must look as if it came from the node
 *
 * The same with 6. A configuration with conditions has maps of its own, named by a digest of the conditions.
 */

import { baseTableOps } from '#cni/parts/base-table.ts';
import { type Condition, conditionStatement, protocolOf } from '#cni/plugins/portmap/conditions.ts';
import type { Family } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { jump, masquerade, match, meta, payload, prefixExpr } from '#wire/nft/build.ts';
import type { Chain, Expr, NftOp, NftSet, Statement, TableRef } from '#wire/nft/values.ts';

export const TABLE: TableRef = { family: 'inet', name: 'polder_portmap' };

export const FAMILIES: readonly Family[] = [4, 6];

/** Before conntrack: what comes for 127.0.0.1 from outside is nothing that we translated. */
const PRIO_RAW = -300;
const PRIO_DSTNAT = -100;
const PRIO_SRCNAT = 100;

/** Names of a pair of maps: without conditions, or of those with this digest. */
export function mapNames(family: Family, digest = ''): { readonly ports: string; readonly addrs: string } {
  const more = digest === '' ? '' : `_${digest}`;
  return { ports: `ports${family}${more}`, addrs: `addrs${family}${more}` };
}

export function masqName(family: Family): string {
  return `masq${family}`;
}

/** Numbers, as nft lists them: linux/rtnetlink.h, linux/netfilter/nf_conntrack_common.h, linux/netfilter.h. */
const RTN_LOCAL = 2;
const IPS_DST_NAT = 0x20;
const NFPROTO: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };

export const CHAINS: readonly Chain[] = [
  { name: 'hostports' },
  { name: 'conditions' },
  { name: 'raw', base: { type: 'filter', hook: 'prerouting', prio: PRIO_RAW } },
  { name: 'prerouting', base: { type: 'nat', hook: 'prerouting', prio: PRIO_DSTNAT } },
  { name: 'output', base: { type: 'nat', hook: 'output', prio: PRIO_DSTNAT } },
  { name: 'postrouting', base: { type: 'nat', hook: 'postrouting', prio: PRIO_SRCNAT } },
];

const proto = meta('l4proto');
const port = payload('th', 'dport');
const toThisNode: Statement = match({ fib: { result: 'type', flags: ['daddr'] } }, RTN_LOCAL);
const drop: Statement = { drop: null };

/** The rules of each chain whose rules are always the same. */
export const RULES: Readonly<Record<string, readonly (readonly Statement[])[]>> = {
  // route_localnet lets 127.0.0.1 out to the pod; nobody may come in by it (CVE-2020-8558).
  raw: [
    [match(meta('iifname'), 'lo', '!='), match(payload('ip', 'daddr'), prefixExpr(parsePrefix('127.0.0.0/8'))), drop],
  ],
  prerouting: [[toThisNode, jump('hostports')]],
  output: [[toThisNode, jump('hostports')]],
  hostports: [
    // The kernel has no route_localnet for IPv6: ::1 would be sent out and never answered.
    [match(payload('ip6', 'daddr'), '::1'), { return: null }],
    [jump('conditions')],
    ...FAMILIES.flatMap((family) => dnatRules(family)),
  ],
  postrouting: FAMILIES.map((family) => masqRule(family)),
};

/** By the node's address first: that is said more exactly. */
export function dnatRules(family: Family, conditions: readonly Condition[] = [], digest = ''): Statement[][] {
  const { ports, addrs } = mapNames(family, digest);
  const when = conditions.map((condition) => conditionStatement(condition, family));
  // A match on an address says the family already, and nft does not list it twice.
  const said = conditions.some(({ field }) => field !== 'iifname');
  const nfproto = said ? [] : [match(meta('nfproto'), NFPROTO[family])];
  const daddr = payload(protocolOf(family), 'daddr');
  const to = (key: readonly Expr[], map: string): Statement => ({
    dnat: { family: protocolOf(family), addr: { map: { key: { concat: key }, data: `@${map}` } } },
  });
  return [
    [...when, to([daddr, proto, port], addrs)],
    [...nfproto, ...when, to([proto, port], ports)],
  ];
}

function masqRule(family: Family): Statement[] {
  const ip = protocolOf(family);
  // `meta l4proto` in a set of intervals is refused by Linux 6.12 (nft turns its one byte round); the header's field is not.
  const protocol = payload(ip, family === 4 ? 'protocol' : 'nexthdr');
  const key = { concat: [payload(ip, 'saddr'), payload(ip, 'daddr'), protocol, port] };
  return [match({ ct: { key: 'status' } }, IPS_DST_NAT, 'in'), match(key, `@${masqName(family)}`), masquerade];
}

function mapsOf(family: Family, digest = ''): NftSet[] {
  const { ports, addrs } = mapNames(family, digest);
  const address = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  const map = [address, 'inet_service'];
  return [
    { name: addrs, type: [address, 'inet_proto', 'inet_service'], map },
    { name: ports, type: ['inet_proto', 'inet_service'], map },
  ];
}

function masqSet(family: Family): NftSet {
  const address = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  return { name: masqName(family), type: [address, address, 'inet_proto', 'inet_service'], flags: ['interval'] };
}

/** Makes the table, or puts its rules right; elements stay. */
export function baseOps(): NftOp[] {
  const sets = FAMILIES.flatMap((family) => [...mapsOf(family), masqSet(family)]);
  return baseTableOps({ sets, chains: CHAINS, rules: RULES });
}

/** The maps and rules of a configuration with conditions; to be run once, before its first element. */
export function conditionOps(family: Family, conditions: readonly Condition[], digest: string): NftOp[] {
  return [
    ...mapsOf(family, digest).map((set): NftOp => ({ op: 'set.add', set })),
    ...dnatRules(family, conditions, digest).map(
      (expr): NftOp => ({ op: 'rule.add', chain: 'conditions', rule: { expr } }),
    ),
  ];
}
