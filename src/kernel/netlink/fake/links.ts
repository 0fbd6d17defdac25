/** Interfaces of the fake. */

import { flushLink, forgetLinkRoutes, linkUp } from '#kernel/netlink/fake/routes.ts';
import { type FakeLink, type FakeState, findLink, needLink, Refused } from '#kernel/netlink/fake/state.ts';
import { localMac } from '#net/mac.ts';
import type { Link, LinkChange, NewLink } from '#wire/netlink/values.ts';

type Namespaces = ReadonlyMap<number, FakeState>;

/** @throws Refused */
export function addLink(state: FakeState, link: NewLink, namespaces: Namespaces): void {
  if (link.info.kind === 'other') throw new Refused('EOPNOTSUPP', 'Unknown device type');
  if (findLink(state, link.name)) throw new Refused('EEXIST');
  const master = link.master === undefined ? undefined : needLink(state, link.master).index;
  const underlay =
    link.info.kind === 'vxlan' && link.info.underlay !== undefined ? needLink(state, link.info.underlay) : undefined;
  const peer = link.info.kind === 'veth' ? makePeer(state, link, namespaces) : undefined;
  const made = insert(state, {
    name: link.name,
    mtu: link.mtu ?? (underlay ? underlay.mtu - VXLAN_OVERHEAD : 1500),
    up: link.up ?? false,
    group: link.group ?? 0,
    info: link.info.kind === 'bridge' ? { stp: false, vlanFiltering: false, ...link.info } : link.info,
    autoMtu: link.info.kind === 'bridge' && link.mtu === undefined,
    ...(link.mac === undefined ? {} : { mac: link.mac }),
    ...(master === undefined ? {} : { master }),
    ...(link.alias ? { alias: link.alias } : {}),
  });
  if (!peer) return;
  made.peer = peer;
  needIndex(peer.state, peer.index).peer = { state, index: made.index };
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
  const made: FakeLink = { mac, ...link, index, loopback: false };
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
  if (change.name !== undefined && change.name !== name && findLink(state, change.name)) throw new Refused('EEXIST');
  if ((change.hairpin ?? change.isolated) !== undefined && master === undefined) throw new Refused('EINVAL');
  const { master: _m, netns, hairpin: _h, isolated: _i, name: newName = name, ...plain } = change;
  const { master: _old, ...rest } = link;
  const changed: FakeLink = {
    ...rest,
    ...plain,
    name: newName,
    ...(master === undefined ? {} : { master }),
    autoMtu: link.autoMtu === true && change.mtu === undefined,
  };
  state.links.set(link.index, changed);
  if (newName !== name) renameEverywhere(state, name, newName);
  if (link.up && change.up === false) forgetLinkRoutes(state, newName);
  if (!link.up && change.up === true) linkUp(state, newName);
  if (netns !== undefined) move(state, changed, namespaces.get(netns));
}

/** Entries name their interface, where the kernel has its index. */
function renameEverywhere(state: FakeState, from: string, to: string): void {
  const renamed = <T extends { readonly link: string }>(entry: T): T =>
    entry.link === from ? { ...entry, link: to } : entry;
  state.addresses = state.addresses.map(renamed);
  state.neighbours = state.neighbours.map(renamed);
  state.fdb = state.fdb.map(renamed);
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
  const { master: _, ...rest } = link;
  to.links.set(index, { ...rest, index, up: false });
  if (link.peer) needIndex(link.peer.state, link.peer.index).peer = { state: to, index };
}

/** @throws Refused ENODEV, EOPNOTSUPP for `lo` */
export function deleteLink(state: FakeState, name: string): void {
  const link = needLink(state, name);
  if (link.loopback) throw new Refused('EOPNOTSUPP');
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
  for (const [index, { master, ...rest }] of state.links) if (master === link.index) state.links.set(index, rest);
  // A tunnel goes with the interface below it.
  for (const over of [...state.links.values()])
    if (over.info.kind === 'vxlan' && over.info.underlay === link.name) remove(state, over);
}

/** As the kernel reports it. */
export function reportLink(state: FakeState, { peer, autoMtu, ...link }: FakeLink): Link {
  const ports = autoMtu ? [...state.links.values()].filter(({ master }) => master === link.index) : [];
  const other = peer?.state.links.get(peer.index);
  const lowerUp = link.up && (peer === undefined || other?.up === true);
  return {
    ...link,
    ...(ports.length > 0 ? { mtu: Math.min(...ports.map(({ mtu }) => mtu)) } : {}),
    lowerUp,
    ...(peer ? { parent: peer.index, ...(peer.state === state ? {} : { peerNetnsId: 0 }) } : {}),
  };
}
