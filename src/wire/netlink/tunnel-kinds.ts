/** Kinds of interfaces that carry packets to other machines: vxlan, ipip, wireguard. Source: linux/if_link.h, linux/if_tunnel.h. */

import { type Addr, addrBytes, familyOf, parseAddr } from '#net/addr.ts';
import { readAddress } from '#wire/netlink/family.ts';
import { bareKind, type InfoOf, type KindRow } from '#wire/netlink/kind-row.ts';

const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_LOCAL6 = 17;
const IFLA_IPTUN_LOCAL = 2;
const IFLA_IPTUN_REMOTE = 3;
const IFLA_IPTUN_TTL = 4;
const IFLA_IPTUN_PMTUDISC = 10;

/** How the kernel says "any": absent in our values. */
const ANY = parseAddr('0.0.0.0');

export const vxlan: KindRow<InfoOf<'vxlan'>> = {
  write(writer, info, names) {
    writer.attrU32(IFLA_VXLAN_ID, info.vni);
    writer.attrBe16(IFLA_VXLAN_PORT, info.port);
    if (info.local !== undefined) {
      writer.attrBytes(familyOf(info.local) === 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, addrBytes(info.local));
    }
    if (info.underlay !== undefined) writer.attrU32(IFLA_VXLAN_LINK, names.indexOf(info.underlay));
    writer.attrU8(IFLA_VXLAN_LEARNING, Number(info.learning));
  },
  read(data, names) {
    const local = readAddress(data.bytes(IFLA_VXLAN_LOCAL) ?? data.bytes(IFLA_VXLAN_LOCAL6));
    const underlay = names.nameOf(data.u32(IFLA_VXLAN_LINK) ?? 0);
    return {
      kind: 'vxlan',
      vni: data.u32(IFLA_VXLAN_ID) ?? 0,
      port: data.be16(IFLA_VXLAN_PORT) ?? 0,
      ...(local === undefined ? {} : { local }),
      ...(underlay === undefined ? {} : { underlay }),
      learning: (data.u8(IFLA_VXLAN_LEARNING) ?? 0) !== 0,
    };
  },
  needs: (info) => (info.underlay === undefined ? [] : [info.underlay]),
  print: (info) => [
    ...['id', info.vni, 'dstport', info.port],
    ...(info.local === undefined ? [] : ['local', info.local]),
    ...(info.underlay === undefined ? [] : ['dev', info.underlay]),
    info.learning ? 'learning' : 'nolearning',
  ],
};

/** A TTL of its own goes only together with path MTU discovery (the kernel refuses it otherwise). */
export const ipip: KindRow<InfoOf<'ipip'>> = {
  write(writer, info) {
    if (info.local !== undefined) writer.attrBytes(IFLA_IPTUN_LOCAL, addrBytes(info.local));
    if (info.remote !== undefined) writer.attrBytes(IFLA_IPTUN_REMOTE, addrBytes(info.remote));
    writer.attrU8(IFLA_IPTUN_TTL, info.ttl);
    writer.attrU8(IFLA_IPTUN_PMTUDISC, Number(info.pmtuDiscovery));
  },
  read(data) {
    const local = unlessAny(readAddress(data.bytes(IFLA_IPTUN_LOCAL)));
    const remote = unlessAny(readAddress(data.bytes(IFLA_IPTUN_REMOTE)));
    return {
      kind: 'ipip',
      ...(local === undefined ? {} : { local }),
      ...(remote === undefined ? {} : { remote }),
      ttl: data.u8(IFLA_IPTUN_TTL) ?? 0,
      pmtuDiscovery: (data.u8(IFLA_IPTUN_PMTUDISC) ?? 1) !== 0,
    };
  },
  needs: () => [],
  print: (info) => [
    ...(info.remote === undefined ? [] : ['remote', info.remote]),
    ...(info.local === undefined ? [] : ['local', info.local]),
    ...['ttl', info.ttl === 0 ? 'inherit' : info.ttl],
    info.pmtuDiscovery ? 'pmtudisc' : 'nopmtudisc',
  ],
};

function unlessAny(addr: Addr | undefined): Addr | undefined {
  return addr === ANY ? undefined : addr;
}

export const wireguard: KindRow<InfoOf<'wireguard'>> = bareKind({ kind: 'wireguard' });
