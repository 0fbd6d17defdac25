/** Scripts of operations that the kernel, the fake and iproute2 shall answer alike. */

import { parseAddr } from '#net/addr.ts';
import { parseMac } from '#net/mac.ts';
import { parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { addressKeys } from '#wire/netlink/filter.ts';
import { type Filter, type TcClass, tcId } from '#wire/netlink/tc-values.ts';
import {
  type FdbEntry,
  type Neighbour,
  type NetlinkOp,
  NUD_PERMANENT,
  PROTO_POLDER,
  type Route,
  TABLE_MAIN,
} from '#wire/netlink/values.ts';

export const MAC = parseMac('ee:ee:ee:ee:ee:ee');
export const OTHER_MAC = parseMac('ee:00:00:00:00:02');
const ZERO_MAC = parseMac('00:00:00:00:00:00');
const GATEWAY = parseAddr('169.254.1.1');

/** Operations that run in one go. The descriptor is of a second namespace. */
export type Script = (other: number) => readonly NetlinkOp[];

export function route(to: string, more: Partial<Route> = {}): Route {
  return {
    to: parsePrefix(to),
    type: 'unicast',
    table: TABLE_MAIN,
    protocol: PROTO_POLDER,
    scope: 'link',
    hops: [],
    ...more,
  };
}

export const address = (link: string, text: string) => ({ link, address: parseIfAddr(text), scope: 'global' }) as const;
const neighbour = (link: string, addr: string): Neighbour => ({
  link,
  addr: parseAddr(addr),
  mac: MAC,
  state: NUD_PERMANENT,
});
const fdb = (mac: FdbEntry['mac'], dst: string): FdbEntry => ({
  link: 'vx',
  mac,
  dst: parseAddr(dst),
  state: NUD_PERMANENT,
  flags: 2,
});

const MACVLAN = { kind: 'macvlan', mode: 'vepa', bcQueueLen: 1000 } as const;

/** What not every kernel has: IPIP and WireGuard. The first wish for an IPIP device makes tunl0, which stays. */
export const TUNNELS: Record<string, Script> = {
  'IPIP devices': () => [
    { op: 'link.add', link: { name: 'tunl0', info: { kind: 'ipip', ttl: 0, pmtuDiscovery: true } } },
    { op: 'link.set', name: 'tunl0', change: { alias: 'polder', mtu: 1400, up: true } },
    { op: 'addr.add', address: address('tunl0', '10.244.1.0/32') },
    {
      op: 'route.add',
      route: route('10.244.2.0/26', {
        scope: 'global',
        hops: [{ via: parseAddr('192.168.1.102'), link: 'tunl0', onlink: true }],
      }),
    },
    {
      op: 'link.add',
      link: {
        name: 'two',
        info: {
          kind: 'ipip',
          local: parseAddr('10.0.0.1'),
          remote: parseAddr('10.0.0.2'),
          ttl: 64,
          pmtuDiscovery: true,
        },
      },
    },
    { op: 'link.set', name: 'tunl0', change: { alias: '', up: false } },
    { op: 'link.del', name: 'tunl0' },
    { op: 'link.del', name: 'two' },
  ],
  'WireGuard devices': () => [
    { op: 'link.add', link: { name: 'wireguard.cali', info: { kind: 'wireguard' }, up: true, mtu: 1440 } },
    { op: 'addr.add', address: address('wireguard.cali', '10.244.1.1/32') },
    {
      op: 'route.add',
      route: route('10.244.2.0/26', { table: 1, hops: [{ link: 'wireguard.cali' }] }),
    },
  ],
};

/** Bursts that take a whole number of the kernel's ticks. */
const TBF = { kind: 'tbf', rate: 1_000_000, burst: 64_000, limit: 100_000 } as const;
const REDIRECT: Filter = {
  link: 'a',
  parent: 'ingress',
  priority: 1,
  protocol: 'all',
  match: { kind: 'u32', keys: [] },
  action: { kind: 'redirect', to: 'ifb' },
};
const htbClass = (minor: number, rate: number): TcClass => ({
  ...{ link: 'a', parent: tcId(1), id: tcId(1, minor), rate, ceil: rate },
  ...{ burst: 128_000, ceilBurst: 128_000 },
});

const PAIR: readonly NetlinkOp[] = [
  {
    op: 'link.add',
    link: {
      name: 'a',
      info: { kind: 'veth' },
      mac: MAC,
      mtu: 1450,
      up: true,
      group: 5,
      alias: 'polder: one',
      peer: { name: 'b', mac: OTHER_MAC },
    },
  },
  { op: 'link.set', name: 'b', change: { up: true } },
];

const VXLAN: readonly NetlinkOp[] = [
  ...PAIR,
  { op: 'addr.add', address: address('a', '10.0.0.1/24') },
  {
    op: 'link.add',
    link: {
      name: 'vx',
      info: { kind: 'vxlan', vni: 4096, port: 4789, local: parseAddr('10.0.0.1'), underlay: 'a', learning: false },
      mac: MAC,
      up: true,
    },
  },
];

export const SCRIPTS: Readonly<Record<string, Script>> = {
  'a veth pair in one namespace': () => PAIR,
  'a veth pair across namespaces': (other) => [
    {
      op: 'link.add',
      link: { name: 'a', info: { kind: 'veth' }, up: true, peer: { name: 'eth0', mtu: 1450, netns: other } },
    },
  ],
  "a pod's host side": (other) => [
    {
      op: 'link.add',
      link: { name: 'cali1', info: { kind: 'veth' }, mac: MAC, up: true, peer: { name: 'eth0', netns: other } },
    },
    { op: 'route.replace', route: route('10.244.1.2/32', { hops: [{ link: 'cali1' }] }) },
    { op: 'route.replace', route: route('10.244.1.2/32', { hops: [{ link: 'cali1' }], mtu: 1400 }) },
  ],
  "a pod's own side": () => [
    ...PAIR,
    { op: 'addr.add', address: address('b', '10.244.1.2/32') },
    { op: 'route.add', route: route('169.254.1.1/32', { hops: [{ link: 'b' }] }) },
    { op: 'route.add', route: route('0.0.0.0/0', { scope: 'global', hops: [{ via: GATEWAY, link: 'b' }] }) },
    { op: 'neigh.replace', neighbour: neighbour('b', '169.254.1.1') },
  ],
  'a bridge with a port': () => [
    { op: 'link.add', link: { name: 'cni0', info: { kind: 'bridge' }, mac: MAC, up: true } },
    ...PAIR,
    { op: 'link.set', name: 'a', change: { master: 'cni0', hairpin: true } },
    { op: 'link.set', name: 'b', change: { master: 'cni0', isolated: true } },
    { op: 'link.set', name: 'b', change: { master: '' } },
    { op: 'addr.add', address: address('cni0', '10.244.1.1/24') },
  ],
  'a bridge with its options': () => [
    { op: 'link.add', link: { name: 'br', info: { kind: 'bridge', stp: false }, mtu: 1400 } },
  ],
  'a link of a master': () => [
    { op: 'link.add', link: { name: 'br', info: { kind: 'bridge' }, up: true } },
    { op: 'link.add', link: { name: 'a', info: { kind: 'veth' }, master: 'br', peer: { name: 'b' } } },
    { op: 'link.del', name: 'br' },
  ],
  'a vxlan device with forwarding entries': () => [
    ...VXLAN,
    { op: 'fdb.append', entry: fdb(ZERO_MAC, '10.0.0.2') },
    { op: 'fdb.append', entry: fdb(ZERO_MAC, '10.0.0.3') },
    { op: 'fdb.replace', entry: fdb(OTHER_MAC, '10.0.0.2') },
    { op: 'fdb.replace', entry: fdb(OTHER_MAC, '10.0.0.3') },
    { op: 'neigh.replace', neighbour: neighbour('vx', '10.244.2.0') },
    {
      op: 'route.replace',
      route: route('10.244.2.0/24', {
        scope: 'global',
        hops: [{ via: parseAddr('10.244.2.0'), link: 'vx', onlink: true }],
      }),
    },
    { op: 'fdb.del', entry: fdb(ZERO_MAC, '10.0.0.2') },
    { op: 'fdb.del', entry: fdb(ZERO_MAC, '10.0.0.9') },
  ],
  'what is there already': () => [
    ...PAIR,
    { op: 'link.add', link: { name: 'a', info: { kind: 'veth' }, peer: { name: 'c' } } },
    { op: 'addr.add', address: address('a', '10.0.0.1/24') },
    { op: 'addr.add', address: address('a', '10.0.0.1/24') },
    { op: 'addr.replace', address: address('a', '10.0.0.1/24') },
    { op: 'route.add', route: route('10.1.0.0/16', { hops: [{ link: 'a' }] }) },
    { op: 'route.add', route: route('10.1.0.0/16', { hops: [{ link: 'b' }] }) },
    { op: 'route.append', route: route('10.1.0.0/16', { hops: [{ link: 'b' }] }) },
    { op: 'route.append', route: route('10.1.0.0/16', { hops: [{ link: 'b' }] }) },
    { op: 'route.add', route: route('10.1.0.0/16', { hops: [{ link: 'a' }], metric: 5 }) },
  ],
  'an alias is for what was made': () => [
    ...PAIR,
    { op: 'link.add', link: { name: 'a', info: { kind: 'veth' }, alias: 'foreign', peer: { name: 'c' } } },
    { op: 'link.add', link: { name: 'br', info: { kind: 'bridge' }, alias: 'own', up: true } },
    { op: 'addr.add', address: address('br', '10.0.0.1/24') },
  ],
  'what is not there': () => [
    { op: 'link.del', name: 'nope' },
    { op: 'link.set', name: 'nope', change: { up: true } },
    { op: 'link.delGroup', group: 77 },
    { op: 'addr.add', address: address('nope', '10.0.0.1/24') },
    { op: 'route.del', route: route('10.9.0.0/16') },
    { op: 'route.add', route: route('10.9.0.0/16', { hops: [{ link: 'nope' }] }) },
    ...PAIR,
    { op: 'addr.del', address: address('a', '10.0.0.1/24') },
    { op: 'neigh.del', neighbour: neighbour('a', '10.0.0.9') },
    {
      op: 'link.add',
      link: { name: 'vx', info: { kind: 'vxlan', vni: 1, port: 8472, underlay: 'nope', learning: true } },
    },
    { op: 'link.add', link: { name: 'x', info: { kind: 'other', name: 'nosuchkind' } } },
    { op: 'rule.del', rule: { family: 4, priority: 77, table: 7 } },
  ],
  'what cannot be reached': () => [
    ...PAIR,
    { op: 'route.add', route: route('10.9.0.0/16', { scope: 'global', hops: [{ via: parseAddr('10.8.0.1') }] }) },
    {
      op: 'route.add',
      route: route('10.9.0.0/16', { scope: 'global', hops: [{ via: parseAddr('10.8.0.1'), link: 'a' }] }),
    },
    { op: 'link.set', name: 'a', change: { up: false } },
    { op: 'route.add', route: route('10.9.0.0/16', { hops: [{ link: 'a' }] }) },
    { op: 'route.add', route: route('10.9.0.0/16', { hops: [{ link: 'b' }], source: parseAddr('10.7.0.1') }) },
  ],
  'addresses bring and take routes': () => [
    ...PAIR,
    { op: 'addr.add', address: address('a', '10.0.0.1/24') },
    { op: 'addr.add', address: { ...address('a', '10.0.1.1/24'), broadcast: parseAddr('10.0.1.255') } },
    { op: 'route.add', route: route('10.9.0.0/16', { scope: 'global', hops: [{ via: parseAddr('10.0.0.9') }] }) },
    {
      op: 'route.add',
      route: route('10.8.0.0/16', {
        scope: 'global',
        hops: [{ via: parseAddr('10.0.1.9'), link: 'a' }],
        source: parseAddr('10.0.1.1'),
      }),
    },
    { op: 'addr.del', address: address('a', '10.0.1.1/24') },
  ],
  'a link that goes down and up': () => [
    ...PAIR,
    { op: 'addr.add', address: address('a', '10.0.0.1/24') },
    { op: 'route.add', route: route('10.9.0.0/16', { hops: [{ link: 'a' }] }) },
    { op: 'link.set', name: 'a', change: { up: false } },
    { op: 'link.set', name: 'a', change: { up: true } },
  ],
  'a link that goes takes all along': () => [
    ...VXLAN,
    { op: 'route.add', route: route('10.9.0.0/16', { hops: [{ link: 'a' }] }) },
    { op: 'neigh.replace', neighbour: neighbour('a', '10.0.0.9') },
    { op: 'link.del', name: 'b' },
  ],
  'a group that goes': () => [
    ...PAIR,
    { op: 'link.add', link: { name: 'c', info: { kind: 'veth' }, group: 5, peer: { name: 'd' } } },
    { op: 'link.delGroup', group: 5 },
    { op: 'link.delGroup', group: 0 },
  ],
  'a link that is renamed and moved': (other) => [
    ...PAIR,
    { op: 'link.set', name: 'b', change: { up: false } },
    { op: 'link.set', name: 'b', change: { name: 'eth0' } },
    { op: 'link.set', name: 'eth0', change: { mtu: 1300, group: 9, alias: 'moved' } },
    { op: 'link.set', name: 'eth0', change: { netns: other } },
    { op: 'link.set', name: 'eth0', change: { up: true } },
  ],
  'interfaces on another one': (other) => [
    ...PAIR,
    { op: 'link.add', link: { name: 'm', info: { kind: 'macvlan', mode: 'bridge' }, parent: 'a', mtu: 1300 } },
    { op: 'link.add', link: { name: 'n', info: MACVLAN, parent: 'a', txQueueLen: 50, netns: other } },
    { op: 'link.add', link: { name: 'o', info: MACVLAN, parent: 'nope' } },
    { op: 'link.set', name: 'm', change: { up: true } },
  ],
  'an interface that goes with its parent': () => [
    ...PAIR,
    { op: 'link.add', link: { name: 'm', info: { kind: 'macvlan', mode: 'private' }, parent: 'a' } },
    { op: 'link.del', name: 'a' },
  ],
  'an ifb device': () => [{ op: 'link.add', link: { name: 'i', info: { kind: 'ifb' }, up: true, mtu: 1400 } }],
  'wishes of an interface': () => [
    ...PAIR,
    { op: 'link.set', name: 'a', change: { promisc: true, allmulti: true, arp: false, txQueueLen: 7 } },
    { op: 'link.set', name: 'b', change: { promisc: true, addrGenMode: 'none' } },
    { op: 'link.set', name: 'b', change: { promisc: false } },
  ],
  'what a bridge does with a port': () => [
    ...PAIR,
    { op: 'link.add', link: { name: 'cni0', info: { kind: 'bridge' }, mac: MAC } },
    { op: 'link.set', name: 'a', change: { master: 'cni0', learning: false, unicastFlood: false, isolated: true } },
    { op: 'link.set', name: 'a', change: { isolated: false, hairpin: true } },
    { op: 'link.set', name: 'b', change: { learning: false } },
  ],
  'a link that gets its name where it arrives': (other) => [
    ...PAIR,
    { op: 'link.add', link: { name: 'c', info: { kind: 'veth' }, peer: { name: 'b', netns: other } } },
    { op: 'link.set', name: 'b', change: { up: false } },
    { op: 'link.set', name: 'b', change: { netns: other, name: 'eth0' } },
  ],
  'routes of other types and tables': () => [
    ...PAIR,
    { op: 'addr.add', address: address('a', '10.0.0.1/24') },
    { op: 'route.add', route: route('10.244.0.0/16', { type: 'blackhole', scope: 'global' }) },
    { op: 'route.add', route: route('10.243.0.0/16', { type: 'unreachable', scope: 'global', metric: 9 }) },
    { op: 'route.add', route: route('10.242.0.0/16', { type: 'prohibit', scope: 'global', table: 1000 }) },
    {
      op: 'route.add',
      route: route('10.5.0.0/16', {
        scope: 'global',
        hops: [
          { via: parseAddr('10.0.0.2'), link: 'a', weight: 1 },
          { via: parseAddr('10.0.0.3'), link: 'a', weight: 3, onlink: true },
        ],
      }),
    },
    { op: 'route.del', route: route('10.244.0.0/16', { type: 'blackhole', scope: 'global' }) },
    { op: 'route.del', route: route('10.244.0.0/16', { type: 'blackhole', scope: 'global' }) },
  ],
  'IPv6 addresses and routes': () => [
    ...PAIR,
    { op: 'addr.add', address: { ...address('a', 'fd00::1/64'), flags: 2 } },
    { op: 'route.add', route: route('fd01::/64', { scope: 'global', hops: [{ link: 'a' }] }) },
    { op: 'route.add', route: route('fd01::/64', { scope: 'global', hops: [{ link: 'b' }] }) },
    {
      op: 'route.replace',
      route: route('fd02::/64', {
        scope: 'global',
        hops: [{ via: parseAddr('fd05::9'), link: 'a', onlink: true }],
        metric: 5,
      }),
    },
    { op: 'neigh.replace', neighbour: neighbour('a', 'fd00::9') },
    { op: 'route.del', route: route('fd01::/64', { scope: 'global', hops: [{ link: 'a' }] }) },
  ],
  'shaping what comes in and what goes out': () => [
    ...PAIR,
    { op: 'link.add', link: { name: 'ifb', info: { kind: 'ifb' }, up: true } },
    { op: 'qdisc.add', qdisc: { link: 'a', info: TBF } },
    { op: 'qdisc.add', qdisc: { link: 'a', info: TBF } },
    { op: 'qdisc.replace', qdisc: { link: 'a', info: { ...TBF, rate: 2_000_000, burst: 256_000 } } },
    { op: 'qdisc.add', qdisc: { link: 'ifb', info: TBF } },
    { op: 'filter.add', filter: REDIRECT },
    { op: 'qdisc.add', qdisc: { link: 'a', info: { kind: 'ingress' } } },
    { op: 'filter.add', filter: { ...REDIRECT, action: { kind: 'redirect', to: 'nope' } } },
    { op: 'filter.add', filter: REDIRECT },
    { op: 'filter.add', filter: { ...REDIRECT, priority: 2, protocol: 'ip', action: { kind: 'redirect', to: 'b' } } },
    { op: 'filter.add', filter: { ...REDIRECT, priority: 3, protocol: 'arp', action: { kind: 'redirect', to: 'b' } } },
    { op: 'filter.del', filter: { ...REDIRECT, priority: 3, protocol: 'arp' } },
    { op: 'filter.del', filter: { ...REDIRECT, priority: 9 } },
    { op: 'link.del', name: 'ifb' },
    { op: 'qdisc.del', qdisc: { link: 'nope', info: TBF } },
  ],
  'shaping some of what goes out': () => [
    ...PAIR,
    { op: 'class.add', class: htbClass(0x30, 1_000_000) },
    { op: 'qdisc.add', qdisc: { link: 'a', handle: tcId(1), info: { kind: 'htb', defaultClass: 0x30 } } },
    { op: 'class.add', class: htbClass(0x30, 1_000_000) },
    { op: 'class.add', class: htbClass(1, 16_000_000_000) },
    { op: 'class.replace', class: htbClass(0x30, 500_000) },
    {
      op: 'filter.add',
      filter: {
        ...{ link: 'a', parent: tcId(1), priority: 1, protocol: 'ip', class: tcId(1, 1) },
        match: { kind: 'u32', keys: addressKeys('destination', parsePrefix('10.1.0.0/16')) },
      },
    },
  ],
  'shaping that ends': () => [
    ...PAIR,
    { op: 'qdisc.add', qdisc: { link: 'a', info: TBF } },
    { op: 'qdisc.del', qdisc: { link: 'a', info: TBF } },
    { op: 'qdisc.add', qdisc: { link: 'a', info: { kind: 'clsact' } } },
    { op: 'filter.add', filter: { ...REDIRECT, parent: 'egress', action: { kind: 'redirect', to: 'b' } } },
    { op: 'qdisc.del', qdisc: { link: 'a', info: { kind: 'clsact' } } },
    { op: 'qdisc.del', qdisc: { link: 'a', info: { kind: 'clsact' } } },
  ],
  'policy rules': () => [
    {
      op: 'rule.add',
      rule: {
        family: 4,
        priority: 100,
        table: 1000,
        from: parsePrefix('10.244.0.0/16'),
        to: parsePrefix('10.0.0.0/8'),
        mark: { value: 0x4000, mask: 0x4000 },
        inLink: 'cali1',
        protocol: PROTO_POLDER,
      },
    },
    { op: 'rule.add', rule: { family: 4, priority: 101, table: 7, mark: { value: 0, mask: 0xff } } },
    { op: 'rule.add', rule: { family: 4, priority: 101, table: 7, mark: { value: 0, mask: 0xff } } },
    { op: 'rule.add', rule: { family: 4, priority: 99, table: 1, invert: true, mark: { value: 0x100, mask: 0x100 } } },
    { op: 'rule.add', rule: { family: 6, priority: 102, table: 254, outLink: 'eth0' } },
    { op: 'rule.del', rule: { family: 6, priority: 102, table: 254, outLink: 'eth0' } },
  ],
};
