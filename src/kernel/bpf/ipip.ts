/**
 * The programs that stand in for an IPIP device, held by tc filters: they stay when the process ends, as a device does,
 * and are found again by their names, which say what they were made of.
 */

import { createHash } from 'node:crypto';
import { loadProgram } from '#kernel/ffi/bpf.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { decapsulate, encapsulate, type IpipPath } from '#wire/bpf/ipip.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { Filter } from '#wire/netlink/tc-values.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** Names of interfaces, the source of outer headers, and those that are taken. */
export interface IpipWish extends Pick<IpipPath, 'local' | 'remotes'> {
  readonly device: string;
  readonly underlay: string;
}

/** What our filters' names begin with. */
const OWN = 'polder-ipip-';
/** Of our filters: IPIP's protocol number. */
const PRIORITY = 4;

type Place = Pick<Filter, 'link' | 'parent'>;

interface Wanted extends Place {
  readonly name: string;
  readonly instructions: Uint8Array;
}

/**
 * Makes it so; without a wish nothing of it is left on any interface. Does nothing if it is so already.
 * @throws PolderError kernel-refused, Error with the verifier's words
 */
export function placeIpip(netlink: Netlink, wish: IpipWish | undefined): void {
  const wanted = wish ? programsOf(netlink, wish) : [];
  for (const place of placesOf(netlink)) {
    if (!wanted.some((each) => same(each, place))) clear(netlink, place);
  }
  for (const each of wanted) put(netlink, each);
}

/** None while an interface is not there. */
function programsOf(netlink: Netlink, { device, underlay, local, remotes }: IpipWish): Wanted[] {
  const [tunnel, below] = [netlink.link(device), netlink.link(underlay)];
  if (!tunnel?.mac || !below) return [];
  const path = { tunnel: tunnel.index, tunnelMac: tunnel.mac, underlay: below.index, local, remotes };
  return [
    wantedProgram({ link: device, parent: 'egress' }, 'out', encapsulate(path)),
    wantedProgram({ link: underlay, parent: 'ingress' }, 'in', decapsulate(path)),
  ];
}

function wantedProgram(place: Place, way: string, instructions: Uint8Array): Wanted {
  const digest = createHash('sha256').update(instructions).digest('hex').slice(0, 12);
  return { ...place, name: `${OWN}${way}-${digest}`, instructions };
}

function same(a: Place, b: Place): boolean {
  return a.link === b.link && a.parent === b.parent;
}

function placesOf(netlink: Netlink): Place[] {
  const links = netlink.qdiscs().flatMap(({ link, info }) => (info.kind === 'clsact' ? [link] : []));
  const places = links.flatMap((link): Place[] => [
    { link, parent: 'ingress' },
    { link, parent: 'egress' },
  ]);
  return places.filter((place) => ownFilters(netlink, place).length > 0);
}

function ownFilters(netlink: Netlink, { link, parent }: Place): Filter[] {
  return netlink.filters(link, parent).filter(({ match }) => match.kind === 'bpf' && match.name.startsWith(OWN));
}

/** The qdisc goes with its last filter, whoever has made it: it does nothing by itself. */
function clear(netlink: Netlink, place: Place): void {
  must(
    netlink,
    ownFilters(netlink, place).map((filter) => ({ op: 'filter.del', filter })),
  );
  const left = (['ingress', 'egress'] as const).flatMap((parent) => netlink.filters(place.link, parent));
  if (left.length === 0) must(netlink, [{ op: 'qdisc.del', qdisc: { link: place.link, info: { kind: 'clsact' } } }]);
}

/** An older program is replaced in its place, so that no packet misses both. */
function put(netlink: Netlink, { link, parent, name, instructions }: Wanted): void {
  const there = ownFilters(netlink, { link, parent });
  if (there.some(({ match }) => match.kind === 'bpf' && match.name === name)) return;
  if (!netlink.qdiscs(link).some(({ info }) => info.kind === 'clsact'))
    must(netlink, [{ op: 'qdisc.add', qdisc: { link, info: { kind: 'clsact' } } }]);
  const program = loadProgram('polder_ipip', instructions);
  try {
    const [old] = there;
    const handle = old?.handle ?? 1;
    const match = { kind: 'bpf', name, program } as const;
    must(netlink, [
      { op: 'filter.replace', filter: { link, parent, priority: PRIORITY, protocol: 'all', match, handle } },
    ]);
  } finally {
    closeFd(program);
  }
}

function must(netlink: Netlink, ops: readonly NetlinkOp[]): void {
  const [failure] = netlink.run(ops);
  if (failure) throw refusalError(failure);
}
