/**
 * The uplink of a lab (`lab up --uplink`): a veth pair from the machine's own namespace to the underlay, so that pods
 * and nodes reach what the machine reaches. It opens the lab outwards only: the machine masquerades what comes out and
 * lets nothing new in. It is the one thing of a lab in the machine's own network, and `lab down` takes it back.
 */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { type KernelNft, openNft } from '#kernel/nft/nft.ts';
import { readSysctl, writeSysctl } from '#kernel/sysctl.ts';
import { labPaths } from '#lab/names.ts';
import { type Addr, addrPlus } from '#net/addr.ts';
import { addrOf, contains, ifAddr, type Prefix, parsePrefix, subnetAt } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import { type NetlinkOp, PROTO_BOOT, TABLE_MAIN } from '#wire/netlink/values.ts';
import { accept, drop, match, meta, payload } from '#wire/nft/build.ts';
import { replaceTable } from '#wire/nft/print.ts';
import { nftRefusalError } from '#wire/nft/refusal.ts';
import type { Statement, Table, TableRef } from '#wire/nft/values.ts';

/** Link-local addresses (RFC 3927), cut into networks of two hosts, one for each lab's uplink. */
const LINKS = parsePrefix('169.254.64.0/18');
const LINK_BITS = 30;
const LINK_COUNT = 2 ** (LINK_BITS - 18);
const ANYWHERE = parsePrefix('0.0.0.0/0');
/** Its end in the underlay. */
const INSIDE = 'uplink';
const FORWARD = 'net.ipv4.ip_forward';
/** `srcnat` of nft(8). */
const SRCNAT = 100;

interface Ends {
  readonly machine: Addr;
  readonly underlay: Addr;
}

/** The machine's end: names of interfaces hold 15 bytes, those of labs 32. */
export function uplinkName(lab: string): string {
  return `polder${createHash('sha256').update(lab).digest('hex').slice(0, 8)}`;
}

export function uplinkTable(lab: string): TableRef {
  return { family: 'inet', name: `polder_uplink_${lab.replaceAll('-', '_')}` };
}

/** Makes it, or mends it. Forwarding that this turns on is remembered, for `removeUplink` to turn off again. */
export function ensureUplink(lab: string, underlay: Netns): void {
  using machine = openNetlink();
  using inside = openNetlink(underlay.fd);
  const name = uplinkName(lab);
  const ends = endsOf(lab, machine);
  if (machine.link(name) === undefined || inside.link(INSIDE) === undefined) connect(machine, name, underlay);
  must(machine, [...up(name, ends.machine)]);
  must(inside, [...up(INSIDE, ends.underlay), defaultVia(ends.machine)]);
  writeTable(underlay, { family: 'inet', name: 'polder_uplink' }, insideTable());
  writeTable(undefined, uplinkTable(lab), machineTable(name, ends));
  turnForwardingOn(lab);
}

/** Takes it back, whatever is there of it. */
export function removeUplink(lab: string): void {
  using machine = openNetlink();
  const name = uplinkName(lab);
  if (machine.link(name) !== undefined) must(machine, [{ op: 'link.del', name }]);
  using nft = openNft();
  if (nft.list(uplinkTable(lab)) !== undefined) apply(nft, uplinkTable(lab), [{ op: 'table.delete' }]);
  turnForwardingBack(lab);
}

/** Addresses that its link has already, else the first pair that no interface of the machine stands in. */
function endsOf(lab: string, machine: Netlink): Ends {
  const addresses = machine.addresses();
  const own = addresses.find(({ link }) => link === uplinkName(lab));
  const taken = (network: Prefix) => addresses.some(({ address }) => contains(network, addrOf(address)));
  for (let i = 0; i < LINK_COUNT; i++) {
    const network = subnetAt(LINKS, LINK_BITS, i);
    if (own ? contains(network, addrOf(own.address)) : !taken(network)) {
      return { machine: addrPlus(addrOf(network), 1), underlay: addrPlus(addrOf(network), 2) };
    }
  }
  throw new PolderError('cidr-invalid', { what: `Every network of ${LINKS} is in use on this machine.` });
}

function connect(machine: Netlink, name: string, underlay: Netns): void {
  if (machine.link(name) !== undefined) must(machine, [{ op: 'link.del', name }]);
  must(machine, [
    {
      op: 'link.add',
      link: { name, info: { kind: 'veth' }, alias: 'polder', peer: { name: INSIDE, netns: underlay.fd } },
    },
  ]);
}

function up(link: string, addr: Addr): NetlinkOp[] {
  return [
    { op: 'link.set', name: link, change: { up: true } },
    { op: 'addr.replace', address: { link, address: ifAddr(addr, LINK_BITS), scope: 'global' } },
  ];
}

function defaultVia(via: Addr): NetlinkOp {
  const hops = [{ via, link: INSIDE }];
  return {
    op: 'route.replace',
    route: { to: ANYWHERE, type: 'unicast', table: TABLE_MAIN, protocol: PROTO_BOOT, scope: 'global', hops },
  };
}

/** In the underlay: the machine sees one address, whoever of the lab speaks. */
function insideTable(): Table {
  const base = { type: 'nat', hook: 'postrouting', prio: SRCNAT, policy: 'accept' } as const;
  const rules = [{ expr: [match(meta('oifname'), INSIDE), { masquerade: null }] }];
  return { sets: [], chains: [{ name: 'postrouting', base, rules }] };
}

/** On the machine: what the lab begins goes out masqueraded; what others begin does not come in. */
function machineTable(name: string, { underlay }: Ends): Table {
  const answers: Statement = { match: { op: 'in', left: { ct: { key: 'state' } }, right: ['established', 'related'] } };
  const filter = (hook: 'forward' | 'input') => ({ type: 'filter', hook, prio: 0, policy: 'accept' }) as const;
  const nat = { type: 'nat', hook: 'postrouting', prio: SRCNAT, policy: 'accept' } as const;
  const closed = (key: 'oifname' | 'iifname') => [
    { expr: [match(meta(key), name), answers, accept] },
    { expr: [match(meta(key), name), drop] },
  ];
  const leaving = [match(payload('ip', 'saddr'), underlay), match(meta('oifname'), name, '!=')];
  return {
    sets: [],
    chains: [
      { name: 'forward', base: filter('forward'), rules: closed('oifname') },
      { name: 'input', base: filter('input'), rules: closed('iifname') },
      { name: 'postrouting', base: nat, rules: [{ expr: [...leaving, { masquerade: null }] }] },
    ],
  };
}

function memoryOf(lab: string): string {
  return `${labPaths(lab).dir}/forwarding-was-off`;
}

function turnForwardingOn(lab: string): void {
  if (readSysctl(FORWARD) === '1') return;
  writeFileSync(memoryOf(lab), '');
  writeSysctl(FORWARD, '1');
}

function turnForwardingBack(lab: string): void {
  try {
    readFileSync(memoryOf(lab));
  } catch {
    return; // it was on before this lab came
  }
  writeSysctl(FORWARD, '0');
}

/** @throws PolderError 'kernel-refused' with the first that failed. */
function must(netlink: Netlink, ops: readonly NetlinkOp[]): void {
  const [failure] = netlink.run(ops);
  if (failure !== undefined) throw refusalError(failure);
}

function writeTable(netns: Netns | undefined, ref: TableRef, table: Table): void {
  using nft = netns === undefined ? openNft() : openNft(netns);
  apply(nft, ref, replaceTable(table));
}

function apply(nft: KernelNft, ref: TableRef, ops: ReturnType<typeof replaceTable>): void {
  const failure = nft.apply(ref, ops);
  if (failure !== undefined) throw nftRefusalError(ref, failure);
}
