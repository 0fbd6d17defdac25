/** RTM_*LINK: interfaces. Source: rtnetlink(7), linux/if_link.h. */

import { type Mac, macBytes, macFromBytes } from '#net/mac.ts';
import * as N from '#wire/netlink/constants.ts';
import { words } from '#wire/netlink/kind-row.ts';
import { kindName, readKind, writeKind } from '#wire/netlink/link-kinds.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import { ATTR_TYPE, Attrs, attrEnd, bytesBetween, header, type Span, textBetween } from '#wire/netlink/reader.ts';
import type { AddrGenMode, BridgePort, Link, LinkBrief, LinkChange, NewLink } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const VETH_INFO_PEER = 1;
const IFINFOMSG = 16;

/** Wishes that are bits of `ifi_flags`: each that is said stands in `ifi_change` too. */
interface Flags {
  readonly up?: boolean;
  readonly promisc?: boolean;
  readonly allmulti?: boolean;
  readonly arp?: boolean;
}

function bit(flag: number, on: boolean | undefined): number {
  return on ? flag : 0;
}

function said(flag: number, wish: boolean | undefined): number {
  return wish === undefined ? 0 : flag;
}

/** `struct ifinfomsg`. */
function writeHeader(writer: Writer, index: number, flags: Flags = {}, family = N.AF_UNSPEC): void {
  const { up, promisc, allmulti, arp } = flags;
  writer.u16(family);
  writer.u16(0);
  writer.u32(index);
  writer.u32(
    bit(N.IFF_UP, up) | bit(N.IFF_PROMISC, promisc) | bit(N.IFF_ALLMULTI, allmulti) | bit(N.IFF_NOARP, arp === false),
  );
  writer.u32(
    said(N.IFF_UP, up) | said(N.IFF_PROMISC, promisc) | said(N.IFF_ALLMULTI, allmulti) | said(N.IFF_NOARP, arp),
  );
}

/**
 * Body of an RTM_NEWLINK that makes the interface. @throws NoSuchLink if its master, parent or underlay is missing;
 * RangeError for an alias in another namespace.
 */
export function writeNewLink(writer: Writer, link: NewLink, names: NameToIndex): void {
  if (link.netns !== undefined && link.alias !== undefined)
    throw new RangeError(`Cannot give ${link.name} an alias: it is made in another namespace`);
  writeHeader(writer, 0, link);
  writer.attrText(N.IFLA_IFNAME, link.name);
  writeCommon(writer, link);
  if (link.txQueueLen !== undefined) writer.attrU32(N.IFLA_TXQLEN, link.txQueueLen);
  if (link.parent !== undefined) writer.attrU32(N.IFLA_LINK, names.indexOf(link.parent));
  if (link.netns !== undefined) writer.attrU32(N.IFLA_NET_NS_FD, link.netns);
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

/**
 * Body of an RTM_SETLINK. The kernel finds the interface by its name, except where that is the new one.
 * @throws NoSuchLink if the interface that gets another name, or the new master, is missing.
 */
export function writeLinkChange(writer: Writer, name: string, change: LinkChange, names: NameToIndex): void {
  writeHeader(writer, change.name === undefined ? 0 : names.indexOf(name), change);
  writer.attrText(N.IFLA_IFNAME, change.name ?? name);
  writeCommon(writer, change);
  if (change.txQueueLen !== undefined) writer.attrU32(N.IFLA_TXQLEN, change.txQueueLen);
  writeFamilies(writer, change);
  if (change.alias !== undefined) writer.attrText(N.IFLA_IFALIAS, change.alias);
  if (change.master !== undefined) {
    writer.attrU32(N.IFLA_MASTER, change.master === '' ? 0 : names.indexOf(change.master));
  }
  if (change.netns !== undefined) writer.attrU32(N.IFLA_NET_NS_FD, change.netns);
}

const ADDR_GEN_MODES = words<AddrGenMode>({ eui64: 0, none: 1, stable_secret: 2, random: 3 }, 'eui64');

/** What belongs to an address family. */
function writeFamilies(writer: Writer, { addrGenMode, arpNotify }: LinkChange): void {
  if (addrGenMode === undefined && arpNotify === undefined) return;
  writer.nest(N.IFLA_AF_SPEC, () => {
    if (arpNotify !== undefined) {
      const conf = () => writer.attrU32(N.IPV4_DEVCONF_ARP_NOTIFY, Number(arpNotify));
      writer.nest(N.AF_INET, () => writer.nest(N.IFLA_INET_CONF, conf));
    }
    if (addrGenMode !== undefined) {
      const mode = () => writer.attrU8(N.IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODES.number(addrGenMode));
      writer.nest(N.AF_INET6, mode);
    }
  });
}

/** Body of an RTM_SETLINK of a bridge's port. @throws NoSuchLink */
export function writePortChange(writer: Writer, name: string, change: LinkChange, names: NameToIndex): void {
  writeHeader(writer, names.indexOf(name), {}, N.AF_BRIDGE);
  writer.nest(N.IFLA_PROTINFO, () => {
    if (change.hairpin !== undefined) writer.attrU8(N.IFLA_BRPORT_MODE, Number(change.hairpin));
    if (change.isolated !== undefined) writer.attrU8(N.IFLA_BRPORT_ISOLATED, Number(change.isolated));
    if (change.learning !== undefined) writer.attrU8(N.IFLA_BRPORT_LEARNING, Number(change.learning));
    if (change.unicastFlood !== undefined) writer.attrU8(N.IFLA_BRPORT_UNICAST_FLOOD, Number(change.unicastFlood));
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

/**
 * Reads what most want to know of an RTM_NEWLINK, in one walk that keeps nothing else: that of a bridge has a hundred
 * attributes, and reading them all takes longer than the kernel takes to write them. @throws SyntaxError
 */
export function readLinkBrief(body: Span): LinkBrief {
  const { view, end } = body;
  const at = header(body, IFINFOMSG);
  const flags = view.getUint32(at + 8, true);
  const found = { name: '', mtu: 0, kind: '' };
  const extra: { mac?: Mac; alias?: string } = {};
  for (let p = at + IFINFOMSG; p + 4 <= end; ) {
    const next = attrEnd(view, p, end);
    switch (view.getUint16(p + 2, true) & ATTR_TYPE) {
      case N.IFLA_IFNAME:
        found.name = textBetween(view, p + 4, next);
        break;
      case N.IFLA_ADDRESS:
        if (next - p === 10) extra.mac = macFromBytes(bytesBetween(view, p + 4, next));
        break;
      case N.IFLA_MTU:
        found.mtu = new Attrs(view, p, next).u32(N.IFLA_MTU) ?? 0;
        break;
      case N.IFLA_IFALIAS:
        if (next - p > 5) extra.alias = textBetween(view, p + 4, next);
        break;
      case N.IFLA_LINKINFO:
        found.kind = new Attrs(view, p + 4, next).text(N.IFLA_INFO_KIND) ?? '';
        break;
    }
    p += (next - p + 3) & ~3;
  }
  const index = view.getInt32(at + 4, true);
  return { ...found, ...extra, index, up: (flags & N.IFF_UP) !== 0, loopback: (flags & N.IFF_LOOPBACK) !== 0 };
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
    ...wishes(flags),
    ...settings(attrs),
    ...(info.text(N.IFLA_INFO_SLAVE_KIND) === 'bridge' ? { port: readPort(info.nested(N.IFLA_INFO_SLAVE_DATA)) } : {}),
  };
}

function wishes(flags: number): Pick<Link, 'promisc' | 'allmulti' | 'noArp'> {
  return {
    ...(flags & N.IFF_PROMISC ? { promisc: true } : {}),
    ...(flags & N.IFF_ALLMULTI ? { allmulti: true } : {}),
    ...(flags & N.IFF_NOARP ? { noArp: true } : {}),
  };
}

function settings(attrs: Attrs): Pick<Link, 'promiscuity' | 'txQueueLen' | 'permanentMac' | 'addrGenMode'> {
  const promiscuity = attrs.u32(N.IFLA_PROMISCUITY);
  const txQueueLen = attrs.u32(N.IFLA_TXQLEN);
  const permanent = attrs.bytes(N.IFLA_PERM_ADDRESS);
  const mode = attrs.nested(N.IFLA_AF_SPEC).nested(N.AF_INET6).u8(N.IFLA_INET6_ADDR_GEN_MODE);
  return {
    ...(promiscuity ? { promiscuity } : {}),
    ...(txQueueLen === undefined ? {} : { txQueueLen }),
    ...(permanent?.length === 6 ? { permanentMac: macFromBytes(permanent) } : {}),
    ...(mode === undefined ? {} : { addrGenMode: ADDR_GEN_MODES.word(mode) }),
  };
}

function readPort(data: Attrs): BridgePort {
  const on = (type: number) => (data.u8(type) ?? 0) !== 0;
  return {
    hairpin: on(N.IFLA_BRPORT_MODE),
    isolated: on(N.IFLA_BRPORT_ISOLATED),
    learning: on(N.IFLA_BRPORT_LEARNING),
    unicastFlood: on(N.IFLA_BRPORT_UNICAST_FLOOD),
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
