/** RTM_*NEIGH: ARP and NDP entries, and (family AF_BRIDGE) forwarding entries of bridges and VXLAN devices. Source: rtnetlink(7), linux/neighbour.h. */

import { addrBytes } from '#net/addr.ts';
import { macBytes, macFromBytes } from '#net/mac.ts';
import * as N from '#wire/netlink/constants.ts';
import { addressFamily, familyOfNumber, readAddress } from '#wire/netlink/family.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import type { FdbEntry, Neighbour } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const NDMSG = 12;

/** `struct ndmsg`. */
function writeHeader(writer: Writer, family: number, index: number, state: number, flags: number): void {
  writer.u32(family);
  writer.u32(index);
  writer.u16(state);
  writer.u8(flags);
  writer.u8(0);
}

/** Body of an RTM_NEWNEIGH or RTM_DELNEIGH. @throws NoSuchLink */
export function writeNeighbour(writer: Writer, neighbour: Neighbour, names: NameToIndex): void {
  writeHeader(writer, addressFamily(neighbour.addr), names.indexOf(neighbour.link), neighbour.state, 0);
  writer.attrBytes(N.NDA_DST, addrBytes(neighbour.addr));
  if (neighbour.mac !== undefined) writer.attrBytes(N.NDA_LLADDR, macBytes(neighbour.mac));
}

/** Body of an RTM_NEWNEIGH or RTM_DELNEIGH of a forwarding entry. @throws NoSuchLink */
export function writeFdbEntry(writer: Writer, entry: FdbEntry, names: NameToIndex): void {
  writeHeader(writer, N.AF_BRIDGE, names.indexOf(entry.link), entry.state, entry.flags);
  writer.attrBytes(N.NDA_LLADDR, macBytes(entry.mac));
  if (entry.dst !== undefined) writer.attrBytes(N.NDA_DST, addrBytes(entry.dst));
}

/** Body of an RTM_GETNEIGH dump, of one interface or of all. */
export function writeNeighbourDump(writer: Writer, index?: number): void {
  writeHeader(writer, N.AF_UNSPEC, 0, 0, 0);
  if (index !== undefined) writer.attrU32(N.NDA_IFINDEX, index);
}

/** Body of an RTM_GETNEIGH dump of forwarding entries, of one interface or of all. */
export function writeFdbDump(writer: Writer, index?: number): void {
  writeHeader(writer, N.AF_BRIDGE, index ?? 0, 0, 0);
}

/** Reads an RTM_NEWNEIGH or RTM_DELNEIGH. Undefined if it is not IP or its interface is gone. @throws SyntaxError */
export function readNeighbour(body: Span, names: IndexToName): Neighbour | undefined {
  const at = header(body, NDMSG);
  const link = names.nameOf(body.view.getInt32(at + 4, true));
  if (familyOfNumber(body.view.getUint8(at)) === undefined || link === undefined) return undefined;
  const attrs = new Attrs(body.view, at + NDMSG, body.end);
  const addr = readAddress(attrs.bytes(N.NDA_DST));
  const mac = attrs.bytes(N.NDA_LLADDR);
  if (addr === undefined) return undefined;
  return {
    link,
    addr,
    ...(mac?.length === 6 ? { mac: macFromBytes(mac) } : {}),
    state: body.view.getUint16(at + 8, true),
  };
}

/** Reads an RTM_NEWNEIGH of a forwarding entry. Undefined if it is none or its interface is gone. @throws SyntaxError */
export function readFdbEntry(body: Span, names: IndexToName): FdbEntry | undefined {
  const at = header(body, NDMSG);
  const link = names.nameOf(body.view.getInt32(at + 4, true));
  if (body.view.getUint8(at) !== N.AF_BRIDGE || link === undefined) return undefined;
  const attrs = new Attrs(body.view, at + NDMSG, body.end);
  const mac = attrs.bytes(N.NDA_LLADDR);
  if (mac?.length !== 6) return undefined;
  const dst = readAddress(attrs.bytes(N.NDA_DST));
  return {
    link,
    mac: macFromBytes(mac),
    ...(dst === undefined ? {} : { dst }),
    state: body.view.getUint16(at + 8, true),
    flags: body.view.getUint8(at + 10),
  };
}
