/** Next hops of routes, one in the route's own attributes or several in RTA_MULTIPATH. Source: linux/rtnetlink.h. */

import { addrBytes, addrFromBytes, type Family, familyOf } from '#net/addr.ts';
import * as N from '#wire/netlink/constants.ts';
import { addressFamily, readAddress } from '#wire/netlink/family.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import { Attrs, malformed, type Span } from '#wire/netlink/reader.ts';
import type { NextHop } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const RTNEXTHOP = 8;

export function writeNextHop(writer: Writer, hop: NextHop, family: Family, names: NameToIndex): void {
  if (hop.via !== undefined) writeGateway(writer, hop.via, family);
  if (hop.link !== undefined) writer.attrU32(N.RTA_OIF, names.indexOf(hop.link));
}

export function writeNextHops(writer: Writer, hops: readonly NextHop[], family: Family, names: NameToIndex): void {
  writer.nest(N.RTA_MULTIPATH, () => {
    for (const hop of hops) writer.sized(() => writeOneOfSeveral(writer, hop, family, names));
  });
}

/** `struct rtnexthop` after its length. */
function writeOneOfSeveral(writer: Writer, hop: NextHop, family: Family, names: NameToIndex): void {
  writer.u8(hop.onlink ? N.RTNH_F_ONLINK : 0);
  writer.u8((hop.weight ?? 1) - 1);
  writer.u32(hop.link === undefined ? 0 : names.indexOf(hop.link));
  if (hop.via !== undefined) writeGateway(writer, hop.via, family);
}

/** An IPv4 route may have an IPv6 gateway (RFC 5549): then the family stands with the address. */
function writeGateway(writer: Writer, via: NonNullable<NextHop['via']>, family: Family): void {
  if (familyOf(via) === family) writer.attrBytes(N.RTA_GATEWAY, addrBytes(via));
  else {
    writer.attr(N.RTA_VIA, () => {
      writer.u16(addressFamily(via));
      writer.raw(addrBytes(via));
    });
  }
}

/** Undefined if its interface is gone. @throws SyntaxError */
export function readNextHop(attrs: Attrs, index: number, flags: number, names: IndexToName): NextHop | undefined {
  const link = index === 0 ? undefined : names.nameOf(index);
  if (index !== 0 && link === undefined) return undefined;
  const via = readAddress(attrs.bytes(N.RTA_GATEWAY)) ?? readVia(attrs.bytes(N.RTA_VIA));
  return {
    ...(via === undefined ? {} : { via }),
    ...(link === undefined ? {} : { link }),
    ...(flags & N.RTNH_F_ONLINK ? { onlink: true } : {}),
  };
}

function readVia(bytes: Uint8Array | undefined): NextHop['via'] {
  const length = bytes ? bytes.length - 2 : 0;
  return bytes && (length === 4 || length === 16) ? addrFromBytes(bytes.subarray(2)) : undefined;
}

/** Undefined if the interface of one is gone. @throws SyntaxError */
export function readNextHops({ view, start, end }: Span, names: IndexToName): NextHop[] | undefined {
  const hops: NextHop[] = [];
  for (let at = start; at + RTNEXTHOP <= end; ) {
    const length = view.getUint16(at, true);
    if (length < RTNEXTHOP || at + length > end) throw malformed(`next hop of ${length} bytes with ${end - at} left`);
    const attrs = new Attrs(view, at + RTNEXTHOP, at + length);
    const hop = readNextHop(attrs, view.getUint32(at + 4, true), view.getUint8(at + 2), names);
    if (hop === undefined) return undefined;
    hops.push({ ...hop, weight: view.getUint8(at + 3) + 1 });
    at += (length + 3) & ~3;
  }
  return hops;
}
