/** VLANs of bridge ports: RTM_*LINK of family AF_BRIDGE. Source: linux/if_bridge.h (IFLA_AF_SPEC, `struct bridge_vlan_info`). */

import * as N from '#wire/netlink/constants.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import { Attrs, eachAttr, header, type Span } from '#wire/netlink/reader.ts';
import type { BridgeVlan } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const IFINFOMSG = 16;
const FLAGS_SELF = 2;
const PVID = 0x02;
const UNTAGGED = 0x04;
const RANGE_BEGIN = 0x08;
const RANGE_END = 0x10;
const MAX_VID = 4094;

/** `struct ifinfomsg` of family AF_BRIDGE. */
function writeHeader(writer: Writer, index: number): void {
  for (const word of [N.AF_BRIDGE, index, 0, 0]) writer.u32(word);
}

/** Body of an RTM_SETLINK (add) or RTM_DELLINK. @throws NoSuchLink; RangeError for what is no VLAN or no range. */
export function writeBridgeVlan(writer: Writer, vlan: BridgeVlan, names: NameToIndex): void {
  checkRange(vlan);
  writeHeader(writer, names.indexOf(vlan.link));
  writer.nest(N.IFLA_AF_SPEC, () => {
    if (vlan.self) writer.attrU16(N.IFLA_BRIDGE_FLAGS, FLAGS_SELF);
    const flags = (vlan.pvid ? PVID : 0) | (vlan.untagged ? UNTAGGED : 0);
    if (vlan.end === undefined) return writeInfo(writer, flags, vlan.vid);
    writeInfo(writer, flags | RANGE_BEGIN, vlan.vid);
    writeInfo(writer, flags | RANGE_END, vlan.end);
  });
}

function checkRange({ vid, end = vid, pvid }: BridgeVlan): void {
  if (vid < 1 || end > MAX_VID || end < vid) throw new RangeError(`Cannot use ${vid}-${end} as VLANs: 1 to ${MAX_VID}`);
  if (pvid && end !== vid) throw new RangeError('Cannot make a range of VLANs the one of packets without a tag');
}

function writeInfo(writer: Writer, flags: number, vid: number): void {
  writer.attr(N.IFLA_BRIDGE_VLAN_INFO, () => {
    writer.u16(flags);
    writer.u16(vid);
  });
}

/** Body of an RTM_GETLINK dump that tells VLANs, with ranges where there are. */
export function writeBridgeVlanDump(writer: Writer): void {
  writeHeader(writer, 0);
  writer.attrU32(N.IFLA_EXT_MASK, N.RTEXT_FILTER_BRVLAN_COMPRESSED);
}

/** Reads an RTM_NEWLINK of family AF_BRIDGE; `self` is of those that have no master. @throws SyntaxError */
export function readBridgeVlans(body: Span, names: IndexToName): BridgeVlan[] {
  const at = header(body, IFINFOMSG);
  const link = names.nameOf(body.view.getInt32(at + 4, true));
  if (body.view.getUint8(at) !== N.AF_BRIDGE || link === undefined) return [];
  const attrs = new Attrs(body.view, at + IFINFOMSG, body.end);
  const spec = attrs.span(N.IFLA_AF_SPEC);
  const self = attrs.u32(N.IFLA_MASTER) === body.view.getInt32(at + 4, true) || !attrs.has(N.IFLA_MASTER);
  return spec ? readSpec(spec).map((vlan) => ({ link, ...vlan, ...(self ? { self } : {}) })) : [];
}

function readSpec(spec: Span): Omit<BridgeVlan, 'link' | 'self'>[] {
  const vlans: Omit<BridgeVlan, 'link' | 'self'>[] = [];
  let begin: number | undefined;
  for (const { type, payload } of eachAttr(spec)) {
    if (type !== N.IFLA_BRIDGE_VLAN_INFO) continue;
    const at = header(payload, 4);
    const flags = payload.view.getUint16(at, true);
    const vid = payload.view.getUint16(at + 2, true);
    if (flags & RANGE_BEGIN) begin = vid;
    else {
      const range = flags & RANGE_END && begin !== undefined ? { vid: begin, end: vid } : { vid };
      vlans.push({
        ...range,
        ...(flags & PVID ? { pvid: true } : {}),
        ...(flags & UNTAGGED ? { untagged: true } : {}),
      });
    }
  }
  return vlans;
}
