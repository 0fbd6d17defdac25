/**
 * The nftables table of `firewall`. Elements bear their owner as a comment, by which DEL and GC find them again.
 *
 *     pods4      pod            that may send, and be answered
 *     home4      pod . bridge   pods that only their own bridge may reach without having been asked
 *     guarded4   pod            the same pods
 *     isolated4  pod            of these, pods that no bridge at all may
 *     bridges    bridge         those of such pods: what comes from elsewhere is not their neighbours'
 *
 * The same with 6.
 */

import { baseTableOps } from '#cni/parts/base-table.ts';
import type { Family } from '#net/addr.ts';
import { drop, jump, match, meta, payload } from '#wire/nft/build.ts';
import type { Chain, NftOp, NftSet, Statement, TableRef } from '#wire/nft/values.ts';

export const TABLE: TableRef = { family: 'inet', name: 'polder_firewall' };
export const BRIDGES = 'bridges';
/** For rules of the node's administrator; the plugin makes it and never looks into it. */
export const ADMIN = 'CNI-ADMIN';

/** Bit of the packet's mark by which rules of iptables let pass: set before them, taken away after them. */
export const MARK = 0x1000;
const WITHOUT_MARK = 0xffffefff;
/** Bits of established and related, as nft lists them. */
const CT_ANSWERS = [2, 4];

export const pods = (family: Family) => `pods${family}`;
export const home = (family: Family) => `home${family}`;
export const isolated = (family: Family) => `isolated${family}`;
export const guarded = (family: Family) => `guarded${family}`;

export const CHAINS: readonly Chain[] = [
  { name: ADMIN },
  { name: 'set-mark', base: { type: 'filter', hook: 'forward', prio: -1 } },
  { name: 'forward', base: { type: 'filter', hook: 'forward', prio: 0 } },
  { name: 'clear-mark', base: { type: 'filter', hook: 'forward', prio: 1 } },
];

const answers: Statement = { match: { op: 'in', left: { ct: { key: 'state' } }, right: CT_ANSWERS } };
const fromBridge = match(meta('iifname'), `@${BRIDGES}`);
const mark: Statement = { mangle: { key: meta('mark'), value: { '|': [meta('mark'), MARK] } } };
const unmark: Statement = { mangle: { key: meta('mark'), value: { '&': [meta('mark'), WITHOUT_MARK] } } };
const marked: Statement = match({ '&': [meta('mark'), MARK] }, MARK);
const FAMILIES = [4, 6] as const;

/** The rules of each chain whose rules are always the same. */
export const RULES: Readonly<Record<string, readonly (readonly Statement[])[]>> = {
  'set-mark': FAMILIES.flatMap((family) => [
    [match(address(family, 'saddr'), `@${pods(family)}`), mark],
    [match(address(family, 'daddr'), `@${pods(family)}`), answers, mark],
  ]),
  forward: [[jump(ADMIN)], [answers, { accept: null }], ...FAMILIES.flatMap(ingressRules)],
  'clear-mark': [[marked, unmark]],
};

/** What lets marked packets pass in a chain of iptables: iptables itself can read it, which it cannot of most of nft's. */
export const OPENING: readonly Statement[] = [marked, { counter: null }, { accept: null }];

function address(family: Family, field: 'saddr' | 'daddr') {
  return payload(family === 4 ? 'ip' : 'ip6', field);
}

function ingressRules(family: Family): Statement[][] {
  const daddr = address(family, 'daddr');
  const there = { concat: [daddr, meta('iifname')] };
  return [
    [fromBridge, match(daddr, `@${isolated(family)}`), drop],
    [fromBridge, match(daddr, `@${guarded(family)}`), match(there, `@${home(family)}`, '!='), drop],
  ];
}

function setsOf(family: Family): NftSet[] {
  const type = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  return [
    { name: home(family), type: [type, 'ifname'] },
    ...[pods(family), guarded(family), isolated(family)].map((name) => ({ name, type: [type] })),
  ];
}

/** Makes the table, or puts its rules right; elements stay, and the administrator's rules. */
export function baseOps(): NftOp[] {
  const sets = [{ name: BRIDGES, type: ['ifname'] }, ...FAMILIES.flatMap(setsOf)];
  return baseTableOps({ sets, chains: CHAINS, rules: RULES });
}
