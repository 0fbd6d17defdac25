/** Kinds of interfaces that stand on another one: macvlan, ipvlan, vlan. Source: linux/if_link.h. */

import { type InfoOf, type KindRow, words } from '#wire/netlink/kind-row.ts';
import type { IpvlanFlag, IpvlanMode, MacvlanMode } from '#wire/netlink/values.ts';

const IFLA_MACVLAN_MODE = 1;
const IFLA_MACVLAN_BC_QUEUE_LEN = 7;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;
const IFLA_VLAN_ID = 1;
const IFLA_VLAN_PROTOCOL = 5;

const MACVLAN_MODES = words<MacvlanMode>({ private: 1, vepa: 2, bridge: 4, passthru: 8 }, 'vepa');
const IPVLAN_MODES = words<IpvlanMode>({ l2: 0, l3: 1, l3s: 2 }, 'l3');
const IPVLAN_FLAGS = words<IpvlanFlag>({ bridge: 0, private: 1, vepa: 2 }, 'bridge');
const VLAN_PROTOCOLS = words<'802.1q' | '802.1ad'>({ '802.1q': 0x8100, '802.1ad': 0x88a8 }, '802.1q');

export const macvlan: KindRow<InfoOf<'macvlan'>> = {
  write(writer, info) {
    writer.attrU32(IFLA_MACVLAN_MODE, MACVLAN_MODES.number(info.mode));
    if (info.bcQueueLen !== undefined) writer.attrU32(IFLA_MACVLAN_BC_QUEUE_LEN, info.bcQueueLen);
  },
  read(data) {
    const bcQueueLen = data.u32(IFLA_MACVLAN_BC_QUEUE_LEN);
    return {
      kind: 'macvlan',
      mode: MACVLAN_MODES.word(data.u32(IFLA_MACVLAN_MODE)),
      ...(bcQueueLen === undefined ? {} : { bcQueueLen }),
    };
  },
  needs: () => [],
  print: (info) => ['mode', info.mode, ...(info.bcQueueLen === undefined ? [] : ['bcqueuelen', info.bcQueueLen])],
};

export const ipvlan: KindRow<InfoOf<'ipvlan'>> = {
  write(writer, info) {
    writer.attrU16(IFLA_IPVLAN_MODE, IPVLAN_MODES.number(info.mode));
    writer.attrU16(IFLA_IPVLAN_FLAGS, IPVLAN_FLAGS.number(info.flag));
  },
  read: (data) => ({
    kind: 'ipvlan',
    mode: IPVLAN_MODES.word(data.u16(IFLA_IPVLAN_MODE)),
    flag: IPVLAN_FLAGS.word(data.u16(IFLA_IPVLAN_FLAGS)),
  }),
  needs: () => [],
  print: (info) => ['mode', info.mode, info.flag],
};

export const vlan: KindRow<InfoOf<'vlan'>> = {
  write(writer, info) {
    writer.attrU16(IFLA_VLAN_ID, info.id);
    writer.attrBe16(IFLA_VLAN_PROTOCOL, VLAN_PROTOCOLS.number(info.protocol));
  },
  read: (data) => ({
    kind: 'vlan',
    id: data.u16(IFLA_VLAN_ID) ?? 0,
    protocol: VLAN_PROTOCOLS.word(data.be16(IFLA_VLAN_PROTOCOL)),
  }),
  needs: () => [],
  print: (info) => ['protocol', info.protocol, 'id', info.id],
};
