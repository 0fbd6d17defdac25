/** Messages of ctnetlink. Source: linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h. Numbers are in network byte order. */

import { type Addr, addrBytes, type Family, familyOf } from '#net/addr.ts';
import type { Connection, Tuple } from '#wire/conntrack/values.ts';
import { readAddress } from '#wire/netlink/family.ts';
import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import type { Writer } from '#wire/netlink/writer.ts';

/** NFNL_SUBSYS_CTNETLINK, and IPCTNL_MSG_CT_*. */
const CTNETLINK = 1 << 8;
export const CT_NEW = CTNETLINK;
export const CT_GET = CTNETLINK | 1;
export const CT_DELETE = CTNETLINK | 2;

const NFGENMSG = 4;
const AF_INET = 2;
const AF_INET6 = 10;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_MARK = 8;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP = { 4: [1, 2], 6: [3, 4] } as const;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
/** Id, type and code, of ICMP and of ICMPv6. */
const CTA_PROTO_ICMP = { 4: [4, 5, 6], 6: [7, 8, 9] } as const;

/** `struct nfgenmsg`. */
function writeHeader(writer: Writer, family: Family | undefined): void {
  writer.u8(family === undefined ? 0 : family === 4 ? AF_INET : AF_INET6);
  writer.u8(0);
  writer.u16(0);
}

/** Body of a CT_GET dump; of both families unless one is said. */
export function writeConnectionDump(writer: Writer, family?: Family): void {
  writeHeader(writer, family);
}

/** Body of a CT_DELETE of exactly this connection: not of a later one that looks like it. */
export function writeConnection(writer: Writer, connection: Connection): void {
  writeHeader(writer, familyOf(connection.original.source));
  writer.nest(CTA_TUPLE_ORIG, () => writeTuple(writer, connection.original));
  writer.nest(CTA_TUPLE_REPLY, () => writeTuple(writer, connection.reply));
  writer.attr(CTA_ID, () => writer.be32(connection.id));
  if (connection.mark !== undefined) {
    const { mark } = connection;
    writer.attr(CTA_MARK, () => writer.be32(mark));
  }
  if (connection.zone !== undefined) writer.attrBe16(CTA_ZONE, connection.zone);
}

function writeTuple(writer: Writer, tuple: Tuple): void {
  const family = familyOf(tuple.source);
  const [source, destination] = CTA_IP[family];
  writer.nest(CTA_TUPLE_IP, () => {
    writer.attrBytes(source, addrBytes(tuple.source));
    writer.attrBytes(destination, addrBytes(tuple.destination));
  });
  writer.nest(CTA_TUPLE_PROTO, () => {
    writer.attrU8(CTA_PROTO_NUM, tuple.protocol);
    if (tuple.sourcePort !== undefined) writer.attrBe16(CTA_PROTO_SRC_PORT, tuple.sourcePort);
    if (tuple.destinationPort !== undefined) writer.attrBe16(CTA_PROTO_DST_PORT, tuple.destinationPort);
    if (!tuple.icmp) return;
    const [id, type, code] = CTA_PROTO_ICMP[family];
    writer.attrBe16(id, tuple.icmp.id);
    writer.attrU8(type, tuple.icmp.type);
    writer.attrU8(code, tuple.icmp.code);
  });
}

/** Reads a CT_NEW. Undefined if it is not of IP. @throws SyntaxError */
export function readConnection(body: Span): Connection | undefined {
  const attrs = new Attrs(body.view, header(body, NFGENMSG) + NFGENMSG, body.end);
  const original = readTuple(attrs.nested(CTA_TUPLE_ORIG));
  const reply = readTuple(attrs.nested(CTA_TUPLE_REPLY));
  if (!original || !reply) return undefined;
  const mark = attrs.be32(CTA_MARK);
  const zone = attrs.be16(CTA_ZONE);
  return {
    original,
    reply,
    id: attrs.be32(CTA_ID) ?? 0,
    ...(mark === undefined ? {} : { mark }),
    ...(zone === undefined ? {} : { zone }),
  };
}

function readTuple(attrs: Attrs): Tuple | undefined {
  const ip = attrs.nested(CTA_TUPLE_IP);
  const family = ip.has(CTA_IP[6][0]) ? 6 : 4;
  const [source, destination] = CTA_IP[family].map((type) => readAddress(ip.bytes(type)));
  if (source === undefined || destination === undefined || !sameFamily(source, destination)) return undefined;
  const proto = attrs.nested(CTA_TUPLE_PROTO);
  const sourcePort = proto.be16(CTA_PROTO_SRC_PORT);
  const destinationPort = proto.be16(CTA_PROTO_DST_PORT);
  return {
    protocol: proto.u8(CTA_PROTO_NUM) ?? 0,
    source,
    destination,
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...readIcmp(proto, family),
  };
}

function sameFamily(a: Addr, b: Addr): boolean {
  return familyOf(a) === familyOf(b);
}

function readIcmp(proto: Attrs, family: Family): Pick<Tuple, 'icmp'> {
  const [idType, typeType, codeType] = CTA_PROTO_ICMP[family];
  const id = proto.be16(idType);
  return id === undefined ? {} : { icmp: { id, type: proto.u8(typeType) ?? 0, code: proto.u8(codeType) ?? 0 } };
}
