/** RTM_*ADDR: addresses of interfaces. Source: rtnetlink(7), linux/if_addr.h. */

import { addrBytes } from '#net/addr.ts';
import { addrOf, ifAddr, lengthOf } from '#net/prefix.ts';
import * as N from '#wire/netlink/constants.ts';
import { addressFamily, familyOfNumber, readAddress } from '#wire/netlink/family.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import { scopeName, scopeNumber } from '#wire/netlink/scope.ts';
import type { Address } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const IFADDRMSG = 8;

/** Body of an RTM_NEWADDR or RTM_DELADDR. @throws NoSuchLink */
export function writeAddress(writer: Writer, address: Address, names: NameToIndex): void {
  const addr = addrOf(address.address);
  writer.u8(addressFamily(addr));
  writer.u8(lengthOf(address.address));
  writer.u8(0);
  writer.u8(scopeNumber(address.scope));
  writer.u32(names.indexOf(address.link));
  writer.attrBytes(N.IFA_LOCAL, addrBytes(addr));
  writer.attrBytes(N.IFA_ADDRESS, addrBytes(addr));
  if (address.broadcast !== undefined) writer.attrBytes(N.IFA_BROADCAST, addrBytes(address.broadcast));
  if (address.flags !== undefined) writer.attrU32(N.IFA_FLAGS, address.flags);
}

/** Body of an RTM_GETADDR dump, of one interface or (0) of all. */
export function writeAddressDump(writer: Writer, index = 0): void {
  writer.u32(N.AF_UNSPEC);
  writer.u32(index);
}

/** Reads an RTM_NEWADDR or RTM_DELADDR. Undefined if it is not IP or its interface is gone. @throws SyntaxError */
export function readInterfaceAddress(body: Span, names: IndexToName): Address | undefined {
  const at = header(body, IFADDRMSG);
  const { view } = body;
  const link = names.nameOf(view.getUint32(at + 4, true));
  if (familyOfNumber(view.getUint8(at)) === undefined || link === undefined) return undefined;
  const attrs = new Attrs(view, at + IFADDRMSG, body.end);
  const addr = readAddress(attrs.bytes(N.IFA_LOCAL) ?? attrs.bytes(N.IFA_ADDRESS));
  if (addr === undefined) return undefined;
  const broadcast = readAddress(attrs.bytes(N.IFA_BROADCAST));
  return {
    link,
    address: ifAddr(addr, view.getUint8(at + 1)),
    ...(broadcast === undefined ? {} : { broadcast }),
    scope: scopeName(view.getUint8(at + 3)),
    flags: attrs.u32(N.IFA_FLAGS) ?? view.getUint8(at + 2),
  };
}
