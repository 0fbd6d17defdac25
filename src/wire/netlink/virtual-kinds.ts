/** Kinds of interfaces that stand on nothing: dummy, ifb, vrf, tun. Source: linux/if_link.h, linux/if_tun.h. */

import { bareKind, type InfoOf, type KindRow } from '#wire/netlink/kind-row.ts';

const IFLA_VRF_TABLE = 1;
const IFLA_TUN_OWNER = 1;
const IFLA_TUN_GROUP = 2;
const IFLA_TUN_TYPE = 3;
const IFLA_TUN_PERSIST = 6;
const IFLA_TUN_MULTI_QUEUE = 7;
const IFF_TUN = 1;
const IFF_TAP = 2;

export const dummy: KindRow<InfoOf<'dummy'>> = bareKind({ kind: 'dummy' });

export const ifb: KindRow<InfoOf<'ifb'>> = bareKind({ kind: 'ifb' });

export const vrf: KindRow<InfoOf<'vrf'>> = {
  write(writer, info) {
    writer.attrU32(IFLA_VRF_TABLE, info.table);
  },
  read: (data) => ({ kind: 'vrf', table: data.u32(IFLA_VRF_TABLE) ?? 0 }),
  needs: () => [],
  print: (info) => ['table', info.table],
};

/** rtnetlink reads it and refuses to make it. */
export const tun: KindRow<InfoOf<'tun'>> = {
  write(writer, info) {
    if (info.owner !== undefined) writer.attrU32(IFLA_TUN_OWNER, info.owner);
    if (info.group !== undefined) writer.attrU32(IFLA_TUN_GROUP, info.group);
    writer.attrU8(IFLA_TUN_TYPE, info.mode === 'tap' ? IFF_TAP : IFF_TUN);
    writer.attrU8(IFLA_TUN_PERSIST, Number(info.persist));
    writer.attrU8(IFLA_TUN_MULTI_QUEUE, Number(info.multiQueue));
  },
  read(data) {
    const owner = data.u32(IFLA_TUN_OWNER);
    const group = data.u32(IFLA_TUN_GROUP);
    return {
      kind: 'tun',
      mode: data.u8(IFLA_TUN_TYPE) === IFF_TAP ? 'tap' : 'tun',
      ...(owner === undefined ? {} : { owner }),
      ...(group === undefined ? {} : { group }),
      persist: (data.u8(IFLA_TUN_PERSIST) ?? 0) !== 0,
      multiQueue: (data.u8(IFLA_TUN_MULTI_QUEUE) ?? 0) !== 0,
    };
  },
  needs: () => [],
  print: (info) => ['mode', info.mode],
};
