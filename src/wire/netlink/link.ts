/** RTM_*LINK: interfaces. Source: rtnetlink(7), linux/if_link.h. */

import { macBytes, macFromBytes } from '#net/mac.ts';
import * as N from '#wire/netlink/constants.ts';
import { kindName, readKind, writeKind } from '#wire/netlink/link-kinds.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import type { Link, LinkChange, NewLink } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const VETH_INFO_PEER = 1;
const IFINFOMSG = 16;

/** `struct ifinfomsg`. */
function writeHeader(writer: Writer, index: number, up?: boolean, family = N.AF_UNSPEC): void {
  writer.u16(family);
  writer.u16(0);
  writer.u32(index);
  writer.u32(up === true ? N.IFF_UP : 0);
  writer.u32(up === undefined ? 0 : N.IFF_UP);
}

/** Body of an RTM_NEWLINK that makes the interface. @throws NoSuchLink if its master or underlay is missing. */
export function writeNewLink(writer: Writer, link: NewLink, names: NameToIndex): void {
  writeHeader(writer, 0, link.up);
  writer.attrText(N.IFLA_IFNAME, link.name);
  writeCommon(writer, link);
  writeQueues(writer, link.queues);
  if (link.master !== undefined) writer.attrU32(N.IFLA_MASTER, names.indexOf(link.master));
  writer.nest(N.IFLA_LINKINFO, () => {
    writer.attrText(N.IFLA_INFO_KIND, kindName(link.info));
    writer.nest(N.IFLA_INFO_DATA, () => {
      writeKind(writer, link.info, names);
      if (link.peer) writePeer(writer, link.peer, link.queues);
    });
  });
}

function writeCommon(writer: Writer, link: Pick<NewLink, 'mac' | 'mtu' | 'group'>): void {
  if (link.mac !== undefined) writer.attrBytes(N.IFLA_ADDRESS, macBytes(link.mac));
  if (link.mtu !== undefined) writer.attrU32(N.IFLA_MTU, link.mtu);
  if (link.group !== undefined) writer.attrU32(N.IFLA_GROUP, link.group);
}

function writeQueues(writer: Writer, queues: number | undefined): void {
  if (queues === undefined) return;
  writer.attrU32(N.IFLA_NUM_TX_QUEUES, queues);
  writer.attrU32(N.IFLA_NUM_RX_QUEUES, queues);
}

/** A veth's other end is a whole link message of its own. */
function writePeer(writer: Writer, peer: NonNullable<NewLink['peer']>, queues: number | undefined): void {
  writer.nest(VETH_INFO_PEER, () => {
    writeHeader(writer, 0);
    writer.attrText(N.IFLA_IFNAME, peer.name);
    writeCommon(writer, peer);
    writeQueues(writer, queues);
    if (peer.netns !== undefined) writer.attrU32(N.IFLA_NET_NS_FD, peer.netns);
  });
}

/** Body of an RTM_SETLINK. @throws NoSuchLink if the interface or its new master is missing. */
export function writeLinkChange(writer: Writer, name: string, change: LinkChange, names: NameToIndex): void {
  writeHeader(writer, names.indexOf(name), change.up);
  if (change.name !== undefined) writer.attrText(N.IFLA_IFNAME, change.name);
  writeCommon(writer, change);
  if (change.alias !== undefined) writer.attrText(N.IFLA_IFALIAS, change.alias);
  if (change.master !== undefined) {
    writer.attrU32(N.IFLA_MASTER, change.master === '' ? 0 : names.indexOf(change.master));
  }
  if (change.netns !== undefined) writer.attrU32(N.IFLA_NET_NS_FD, change.netns);
}

/** Body of an RTM_SETLINK of a bridge's port. @throws NoSuchLink */
export function writePortChange(writer: Writer, name: string, change: LinkChange, names: NameToIndex): void {
  writeHeader(writer, names.indexOf(name), undefined, N.AF_BRIDGE);
  writer.nest(N.IFLA_PROTINFO, () => {
    if (change.hairpin !== undefined) writer.attrU8(N.IFLA_BRPORT_MODE, Number(change.hairpin));
    if (change.isolated !== undefined) writer.attrU8(N.IFLA_BRPORT_ISOLATED, Number(change.isolated));
  });
}

/** Body of an RTM_DELLINK or RTM_SETLINK by name. */
export function writeLinkByName(writer: Writer, name: string): void {
  writeHeader(writer, 0);
  writer.attrText(N.IFLA_IFNAME, name);
}

/** Body of an RTM_GETLINK by name. */
export function writeLinkQuery(writer: Writer, name: string): void {
  writeLinkByName(writer, name);
  writer.attrU32(N.IFLA_EXT_MASK, N.RTEXT_FILTER_SKIP_STATS);
}

/** Body of an RTM_DELLINK of a group. @throws RangeError for group 0, in which every interface is by default. */
export function writeLinkGroup(writer: Writer, group: number): void {
  if (group === 0) throw new RangeError('Cannot delete link group 0: every interface is in it unless put elsewhere');
  writeHeader(writer, 0);
  writer.attrU32(N.IFLA_GROUP, group);
}

/** Body of an RTM_GETLINK dump. Statistics are most of a link's bytes and nobody here reads them. */
export function writeLinkDump(writer: Writer): void {
  writeHeader(writer, 0);
  writer.attrU32(N.IFLA_EXT_MASK, N.RTEXT_FILTER_SKIP_STATS);
}

/** Index and name of an RTM_NEWLINK. @throws SyntaxError */
export function readLinkName(body: Span): { index: number; name: string } {
  const at = header(body, IFINFOMSG);
  const attrs = new Attrs(body.view, at + IFINFOMSG, body.end);
  return { index: body.view.getInt32(at + 4, true), name: attrs.text(N.IFLA_IFNAME) ?? '' };
}

/** Reads an RTM_NEWLINK. Undefined if it tells of a bridge's port rather than of the interface. @throws SyntaxError */
export function readLink(body: Span, names: IndexToName): Link | undefined {
  const at = header(body, IFINFOMSG);
  if (body.view.getUint8(at) !== N.AF_UNSPEC) return undefined;
  const flags = body.view.getUint32(at + 8, true);
  const attrs = new Attrs(body.view, at + IFINFOMSG, body.end);
  const info = attrs.nested(N.IFLA_LINKINFO);
  return {
    index: body.view.getInt32(at + 4, true),
    name: attrs.text(N.IFLA_IFNAME) ?? '',
    mtu: attrs.u32(N.IFLA_MTU) ?? 0,
    up: (flags & N.IFF_UP) !== 0,
    lowerUp: (flags & N.IFF_LOWER_UP) !== 0,
    loopback: (flags & N.IFF_LOOPBACK) !== 0,
    group: attrs.u32(N.IFLA_GROUP) ?? 0,
    info: readKind(info.text(N.IFLA_INFO_KIND) ?? '', info.nested(N.IFLA_INFO_DATA), names),
    ...optional(attrs),
  };
}

type OptionalOfLink = Pick<Link, 'mac' | 'master' | 'parent' | 'peerNetnsId' | 'alias'>;

function optional(attrs: Attrs): OptionalOfLink {
  const mac = attrs.bytes(N.IFLA_ADDRESS);
  const master = attrs.u32(N.IFLA_MASTER);
  const parent = attrs.u32(N.IFLA_LINK);
  const peerNetnsId = attrs.i32(N.IFLA_LINK_NETNSID);
  const alias = attrs.text(N.IFLA_IFALIAS);
  return {
    // Tunnels have an IP address of 4 or 16 bytes in this place.
    ...(mac?.length === 6 ? { mac: macFromBytes(mac) } : {}),
    ...(master ? { master } : {}),
    ...(parent ? { parent } : {}),
    ...(peerNetnsId === undefined ? {} : { peerNetnsId }),
    ...(alias ? { alias } : {}),
  };
}
