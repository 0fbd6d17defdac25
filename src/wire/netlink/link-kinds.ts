/** What the kinds of interfaces have beside the common attributes: a row a kind. Source: linux/if_link.h, linux/veth.h. */

import { bareKind, type InfoOf, type KindRow } from '#wire/netlink/kind-row.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import type { Attrs } from '#wire/netlink/reader.ts';
import { ipvlan, macvlan, vlan } from '#wire/netlink/stacked-kinds.ts';
import { ipip, vxlan, wireguard } from '#wire/netlink/tunnel-kinds.ts';
import type { LinkInfo } from '#wire/netlink/values.ts';
import { dummy, ifb, tun, vrf } from '#wire/netlink/virtual-kinds.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const IFLA_BR_STP_STATE = 5;
const IFLA_BR_VLAN_FILTERING = 7;
const IFLA_BR_VLAN_DEFAULT_PVID = 39;

const veth: KindRow<InfoOf<'veth'>> = bareKind({ kind: 'veth' });

const bridge: KindRow<InfoOf<'bridge'>> = {
  write(writer, info) {
    if (info.stp !== undefined) writer.attrU32(IFLA_BR_STP_STATE, Number(info.stp));
    if (info.vlanFiltering !== undefined) writer.attrU8(IFLA_BR_VLAN_FILTERING, Number(info.vlanFiltering));
    if (info.vlanDefaultPvid !== undefined) writer.attrU16(IFLA_BR_VLAN_DEFAULT_PVID, info.vlanDefaultPvid);
  },
  read(data) {
    const vlanDefaultPvid = data.u16(IFLA_BR_VLAN_DEFAULT_PVID);
    return {
      kind: 'bridge',
      stp: (data.u32(IFLA_BR_STP_STATE) ?? 0) !== 0,
      vlanFiltering: (data.u8(IFLA_BR_VLAN_FILTERING) ?? 0) !== 0,
      ...(vlanDefaultPvid === undefined ? {} : { vlanDefaultPvid }),
    };
  },
  needs: () => [],
  print: (info) => [
    ...(info.stp === undefined ? [] : ['stp_state', Number(info.stp)]),
    ...(info.vlanFiltering === undefined ? [] : ['vlan_filtering', Number(info.vlanFiltering)]),
    ...(info.vlanDefaultPvid === undefined ? [] : ['vlan_default_pvid', info.vlanDefaultPvid]),
  ],
};

const other: KindRow<InfoOf<'other'>> = bareKind({ kind: 'other', name: '' });

const KINDS: { readonly [K in LinkInfo['kind']]: KindRow<InfoOf<K>> } = {
  veth,
  bridge,
  vxlan,
  macvlan,
  ipvlan,
  vlan,
  ipip,
  wireguard,
  dummy,
  ifb,
  vrf,
  tun,
  other,
};

/** The row of an information's own kind. The cast joins what the table's type says: row K takes information K. */
function rowOf(info: LinkInfo): KindRow<LinkInfo> {
  return KINDS[info.kind] as KindRow<LinkInfo>;
}

/** The kind's name in the kernel. */
export function kindName(info: LinkInfo): string {
  return info.kind === 'other' ? info.name : info.kind;
}

export function writeKind(writer: Writer, info: LinkInfo, names: NameToIndex): void {
  rowOf(info).write(writer, info, names);
}

/** A kind that has no row becomes `other`. @throws SyntaxError if its data cannot be read. */
export function readKind(name: string, data: Attrs, names: IndexToName): LinkInfo {
  if (!Object.hasOwn(KINDS, name) || name === 'other') return { kind: 'other', name };
  return KINDS[name as LinkInfo['kind']].read(data, names);
}

export function kindNeeds(info: LinkInfo): readonly string[] {
  return rowOf(info).needs(info);
}

export function printKind(info: LinkInfo): readonly (string | number)[] {
  return rowOf(info).print(info);
}
