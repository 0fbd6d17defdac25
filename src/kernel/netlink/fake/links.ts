/** Interfaces of the fake. */

import { flushLink, forgetLinkRoutes, linkUp } from '#kernel/netlink/fake/routes.ts';
import { type FakeLink, type FakeState, findLink, needLink, Refused } from '#kernel/netlink/fake/state.ts';
import { forgetTarget } from '#kernel/netlink/fake/traffic.ts';
import { localMac } from '#net/mac.ts';
import type { Link, LinkChange, LinkInfo, NewLink } from '#wire/netlink/values.ts';

type Namespaces = ReadonlyMap<number, FakeState>;

/** @throws Refused */
export function addLink(state: FakeState, link: NewLink, namespaces: Namespaces): void {
  if (link.info.kind === 'other' || link.info.kind === 'tun') throw new Refused('EOPNOTSUPP');
  if (link.netns !== undefined && link.alias !== undefined) throw new Refused('EINVAL');
  const there = link.netns === undefined ? state : namespaces.get(link.netns);
  if (!there) throw new Refused('EBADF');
  if (link.info.kind === 'ipip') loadIpip(there, link.info);
  const below = parentOf(state, link);
  const master = link.master === undefined ? undefined : needLink(state, link.master).index;
  if (findLink(there, link.name)) throw new Refused('EEXIST');
  const peer = link.info.kind === 'veth' ? makePeer(state, link, namespaces) : undefined;
  const made = insert(there, {
    name: link.name,
    mtu: link.mtu ?? mtuOf(link, below),
    up: link.up ?? false,
    group: link.group ?? 0,
    info: completed(link.info),
    autoMtu: link.info.kind === 'bridge' && link.mtu === undefined,
    ...(NO_ARP.has(link.info.kind) ? { noArp: true } : {}),
    txQueueLen: link.txQueueLen ?? (link.info.kind === 'ifb' ? IFB_QUEUE : 1000),
    ...(link.mac === undefined ? {} : { mac: link.mac }),
    ...(master === undefined ? {} : { master, port: NEW_PORT }),
    ...(link.alias ? { alias: link.alias } : {}),
    ...(below && STACKED.has(link.info.kind) ? { lower: { state, index: below.index } } : {}),
  });
  if (NO_MAC.has(link.info.kind)) there.links.set(made.index, withoutMac(made));
  if (made.up) settleWireguard(there, made.index);
  if (!peer) return;
  made.peer = peer;
  needIndex(peer.state, peer.index).peer = { state: there, index: made.index };
}

type Ipip = Extract<LinkInfo, { kind: 'ipip' }>;

/** With the module comes a device for what no other one takes; there can be one for each pair of outer addresses. */
function loadIpip(state: FakeState, { local, remote }: Ipip): void {
  const all = () => [...state.links.values()].flatMap(({ info }) => (info.kind === 'ipip' ? [info] : []));
  if (all().length === 0) {
    const made = insert(state, { name: 'tunl0', mtu: IPIP_MTU, up: false, group: 0, info: FALLBACK, noArp: true });
    state.links.set(made.index, { ...withoutMac(made), fallback: true });
  }
  if (all().some((other) => other.local === local && other.remote === remote)) throw new Refused('EEXIST');
}

const FALLBACK: Ipip = { kind: 'ipip', ttl: 0, pmtuDiscovery: false };
const IPIP_MTU = 1480;
const WIREGUARD_MTU = 1420;

/** WireGuard has no link-local address of its own making. */
function settleWireguard(state: FakeState, index: number): void {
  const link = needIndex(state, index);
  if (link.info.kind === 'wireguard') state.links.set(index, { ...link, addrGenMode: 'none' });
}

/** Its hardware address is none that Ethernet has. */
function withoutMac({ mac: _, ...link }: FakeLink): FakeLink {
  return link;
}

const STACKED: ReadonlySet<string> = new Set(['macvlan', 'ipvlan', 'vlan']);
const NO_ARP: ReadonlySet<string> = new Set(['dummy', 'ifb', 'vrf', 'ipip', 'wireguard']);
const NO_MAC: ReadonlySet<string> = new Set(['ipip', 'wireguard']);
const IFB_QUEUE = 32;
const NEW_PORT = { hairpin: false, isolated: false, learning: true, unicastFlood: true } as const;

/** The interface below. @throws Refused ENODEV if it is not there, EINVAL if none is named where one must be. */
function parentOf(state: FakeState, { info, parent }: NewLink): FakeLink | undefined {
  if (info.kind === 'vxlan') return info.underlay === undefined ? undefined : needLink(state, info.underlay);
  if (parent !== undefined) return needLink(state, parent);
  if (STACKED.has(info.kind)) throw new Refused('EINVAL');
  return undefined;
}

function mtuOf({ info }: NewLink, below: FakeLink | undefined): number {
  if (info.kind === 'vrf') return VRF_MTU;
  if (info.kind === 'ipip') return IPIP_MTU;
  if (info.kind === 'wireguard') return WIREGUARD_MTU;
  if (below === undefined) return 1500;
  return info.kind === 'vxlan' ? below.mtu - VXLAN_OVERHEAD : below.mtu;
}

const VRF_MTU = 65575;

/** With what the kernel says where nothing was said. */
function completed(info: LinkInfo): LinkInfo {
  if (info.kind === 'bridge') return { stp: false, vlanFiltering: false, ...info };
  return info.kind === 'macvlan' ? { bcQueueLen: 1000, ...info } : info;
}

/** RFC 7348: outer Ethernet, IPv4, UDP and VXLAN headers, bytes. */
const VXLAN_OVERHEAD = 50;

/** The kernel makes the other end first. @throws Refused */
function makePeer(state: FakeState, link: NewLink, namespaces: Namespaces): NonNullable<FakeLink['peer']> {
  const wanted = link.peer ?? { name: freeName(state) };
  const there = wanted.netns === undefined ? state : namespaces.get(wanted.netns);
  if (!there) throw new Refused('EBADF');
  if (findLink(there, wanted.name)) throw new Refused('EEXIST');
  const { netns: _, name, ...said } = wanted;
  return {
    state: there,
    index: insert(there, { mtu: 1500, group: 0, ...said, name, up: false, info: { kind: 'veth' } }).index,
  };
}

function freeName(state: FakeState): string {
  let n = 0;
  while (findLink(state, `veth${n}`)) n++;
  return `veth${n}`;
}

function insert(state: FakeState, link: Omit<FakeLink, 'index' | 'loopback'>): FakeLink {
  const index = state.nextIndex++;
  const mac = localMac(Uint8Array.of(0, 0, index >> 24, index >> 16, index >> 8, index));
  const made: FakeLink = { mac, txQueueLen: 1000, addrGenMode: 'eui64', ...link, index, loopback: false };
  state.links.set(index, made);
  return made;
}

function needIndex(state: FakeState, index: number): FakeLink {
  const link = state.links.get(index);
  if (!link) throw new Refused('ENODEV');
  return link;
}

/** @throws Refused */
export function changeLink(state: FakeState, name: string, change: LinkChange, namespaces: Namespaces): void {
  const link = needLink(state, name);
  const master = change.master ? needLink(state, change.master).index : change.master === '' ? undefined : link.master;
  const taken = change.netns === undefined && change.name !== undefined && change.name !== name;
  if (taken && findLink(state, change.name ?? name)) throw new Refused('EEXIST');
  const { master: _m, netns, hairpin, isolated, learning, unicastFlood, name: newName = name, ...rest } = change;
  const port = said({ hairpin, isolated, learning, unicastFlood });
  if (Object.keys(port).length > 0 && master === undefined) throw new Refused('EOPNOTSUPP');
  const { promisc, allmulti, arp, arpNotify: _, ...plain } = rest;
  const { master: _old, port: oldPort, ...kept } = link;
  const changed: FakeLink & { alias?: string } = {
    ...flagged(kept, { promisc, allmulti, noArp: arp === undefined ? undefined : !arp }),
    ...plain,
    name: newName,
    ...(master === undefined ? {} : { master, port: { ...(oldPort ?? NEW_PORT), ...port } }),
    autoMtu: link.autoMtu === true && change.mtu === undefined,
  };
  if (changed.alias === '') delete changed.alias;
  state.links.set(link.index, changed);
  if (newName !== name) renameEverywhere(state, name, newName);
  if (link.up && change.up === false) forgetLinkRoutes(state, newName);
  if (!link.up && change.up === true) linkUp(state, newName);
  if (change.up === true) settleWireguard(state, link.index);
  if (netns !== undefined) move(state, changed, namespaces.get(netns));
}

/** Without what is undefined. */
function said<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

type Flag = 'promisc' | 'allmulti' | 'noArp';

/** A flag that is off is not told. */
function flagged<T extends Pick<Link, Flag>>(link: T, wish: Readonly<Record<Flag, boolean | undefined>>): T {
  const { promisc = link.promisc, allmulti = link.allmulti, noArp = link.noArp } = wish;
  const { promisc: _p, allmulti: _a, noArp: _n, ...rest } = link;
  return {
    ...rest,
    ...(promisc ? { promisc } : {}),
    ...(allmulti ? { allmulti } : {}),
    ...(noArp ? { noArp } : {}),
  } as T;
}

/** Entries name their interface, where the kernel has its index. */
function renameEverywhere(state: FakeState, from: string, to: string): void {
  const renamed = <T extends { readonly link: string }>(entry: T): T =>
    entry.link === from ? { ...entry, link: to } : entry;
  state.addresses = state.addresses.map(renamed);
  state.neighbours = state.neighbours.map(renamed);
  state.fdb = state.fdb.map(renamed);
  state.qdiscs = state.qdiscs.map(renamed);
  state.classes = state.classes.map(renamed);
  state.filters = state.filters.map(renamed);
  for (const [index, link] of state.links) {
    if (link.info.kind === 'vxlan' && link.info.underlay === from)
      state.links.set(index, { ...link, info: { ...link.info, underlay: to } });
  }
  const hop = (h: { readonly link?: string }) => (h.link === from ? { ...h, link: to } : h);
  state.routes = state.routes.map((route) => ({ ...route, hops: route.hops.map(hop) }));
}

/** It arrives down, with a new index if its own is taken. */
function move(from: FakeState, link: FakeLink, to: FakeState | undefined): void {
  if (!to) throw new Refused('EBADF');
  if (findLink(to, link.name)) throw new Refused('EEXIST');
  from.links.delete(link.index);
  flushLink(from, link.name);
  const index = to.links.has(link.index) ? to.nextIndex : link.index;
  to.nextIndex = Math.max(to.nextIndex, index + 1);
  const { master: _, port: _p, ...rest } = link;
  to.links.set(index, { ...rest, index, up: false });
  if (link.peer) needIndex(link.peer.state, link.peer.index).peer = { state: to, index };
}

/** @throws Refused ENODEV, EOPNOTSUPP for `lo` */
export function deleteLink(state: FakeState, name: string): void {
  const link = needLink(state, name);
  if (link.loopback) throw new Refused('EOPNOTSUPP');
  // The kernel says yes and keeps it.
  if (link.fallback) return;
  remove(state, link);
  if (link.peer) {
    const other = link.peer.state.links.get(link.peer.index);
    if (other) remove(link.peer.state, other);
  }
}

/** @throws Refused ENODEV if nothing is in the group, EINVAL for group 0 */
export function deleteGroup(state: FakeState, group: number): void {
  if (group === 0) throw new Refused('EINVAL');
  const members = [...state.links.values()].filter((link) => link.group === group);
  if (members.length === 0) throw new Refused('ENODEV');
  for (const { index, name } of members) if (state.links.has(index)) deleteLink(state, name);
}

function remove(state: FakeState, link: FakeLink): void {
  state.links.delete(link.index);
  flushLink(state, link.name);
  forgetTarget(state, link.name);
  for (const [index, { master, port: _, ...rest }] of state.links)
    if (master === link.index) state.links.set(index, rest);
  // What stands on it goes with it. Of other namespaces the fake knows nothing here.
  for (const over of [...state.links.values()])
    if (over.lower?.index === link.index || (over.info.kind === 'vxlan' && over.info.underlay === link.name))
      remove(state, over);
}

/** As the kernel reports it. */
export function reportLink(state: FakeState, { peer, lower, autoMtu, fallback: _, ...link }: FakeLink): Link {
  const ports = autoMtu ? [...state.links.values()].filter(({ master }) => master === link.index) : [];
  const other = peer?.state.links.get(peer.index);
  const below = lower?.state.links.get(lower.index);
  const carried = below === undefined || reportLink(lower?.state ?? state, below).lowerUp;
  const lowerUp = link.up && carried && (peer === undefined || other?.up === true);
  const parent = peer ?? lower;
  return {
    ...link,
    ...(ports.length > 0 ? { mtu: Math.min(...ports.map(({ mtu }) => mtu)) } : {}),
    lowerUp,
    ...(parent ? { parent: parent.index, ...(parent.state === state ? {} : { peerNetnsId: 0 }) } : {}),
  };
}
