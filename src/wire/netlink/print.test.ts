import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddr } from '#net/addr.ts';
import { parseMac } from '#net/mac.ts';
import { parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { addressKeys } from '#wire/netlink/filter.ts';
import { missingFeature } from '#wire/netlink/missing.ts';
import { printOp } from '#wire/netlink/print.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import { tcId } from '#wire/netlink/tc-values.ts';
import {
  type NetlinkOp,
  type NewLink,
  NUD_PERMANENT,
  PROTO_POLDER,
  type Route,
  type Rule,
  TABLE_MAIN,
} from '#wire/netlink/values.ts';

const mac = parseMac('ee:ee:ee:ee:ee:ee');
const address = { link: 'eth0', address: parseIfAddr('10.244.1.2/32'), scope: 'global' } as const;
const route: Route = {
  to: parsePrefix('10.244.2.0/24'),
  type: 'unicast',
  table: TABLE_MAIN,
  protocol: PROTO_POLDER,
  scope: 'global',
  hops: [{ via: parseAddr('192.168.1.102'), link: 'eth0' }],
};
const neighbour = { link: 'eth0', addr: parseAddr('169.254.1.1'), mac, state: NUD_PERMANENT };
const entry = { link: 'vx', mac, dst: parseAddr('192.168.1.102'), state: NUD_PERMANENT, flags: 2 };
const rule: Rule = { family: 4, priority: 100, table: 77, mark: { value: 1, mask: 255 } };

const tcClass = {
  ...{ link: 'v', parent: tcId(1), id: tcId(1, 0x30) },
  ...{ rate: 1000, ceil: 2000, burst: 1600, ceilBurst: 1700 },
};
const filter = {
  link: 'v',
  parent: 'ingress',
  priority: 1,
  protocol: 'all',
  match: { kind: 'matchall' },
  action: { kind: 'redirect', to: 'ifb0' },
} as const;

/** One of each operation, so that a new one has a line here. */
const LINES = {
  'link.add': [
    {
      op: 'link.add',
      link: { name: 'cali1', info: { kind: 'veth' }, mtu: 1450, up: true, peer: { name: 'eth0', netns: 7 } },
    },
    'ip link add name cali1 mtu 1450 up type veth peer name eth0 netns /proc/self/fd/7',
  ],
  'link.set': [
    { op: 'link.set', name: 'v', change: { master: 'cni0', up: true, hairpin: true } },
    'ip link set dev v up master cni0 && bridge link set dev v hairpin on',
  ],
  'link.del': [{ op: 'link.del', name: 'v' }, 'ip link del dev v'],
  'link.delGroup': [{ op: 'link.delGroup', group: 5 }, 'ip link del group 5'],
  'bridgeVlan.add': [
    { op: 'bridgeVlan.add', vlan: { link: 'v', vid: 5, pvid: true, untagged: true } },
    'bridge vlan add dev v vid 5 pvid untagged',
  ],
  'bridgeVlan.del': [
    { op: 'bridgeVlan.del', vlan: { link: 'br', vid: 5, end: 9, self: true } },
    'bridge vlan del dev br vid 5-9 self',
  ],
  'addr.add': [{ op: 'addr.add', address }, 'ip addr add 10.244.1.2/32 dev eth0'],
  'addr.replace': [{ op: 'addr.replace', address }, 'ip addr replace 10.244.1.2/32 dev eth0'],
  'addr.del': [{ op: 'addr.del', address }, 'ip addr del 10.244.1.2/32 dev eth0'],
  'route.add': [
    { op: 'route.add', route },
    'ip route add 10.244.2.0/24 via 192.168.1.102 dev eth0 proto 77 scope global',
  ],
  'route.replace': [
    { op: 'route.replace', route: { ...route, mtu: 1450, metric: 5, table: 7 } },
    'ip route replace 10.244.2.0/24 via 192.168.1.102 dev eth0 proto 77 scope global metric 5 table 7 mtu 1450',
  ],
  'route.append': [
    { op: 'route.append', route: { ...route, type: 'blackhole', hops: [] } },
    'ip route append blackhole 10.244.2.0/24 proto 77 scope global',
  ],
  'route.del': [
    { op: 'route.del', route: { ...route, to: parsePrefix('::/0'), hops: [] } },
    'ip -6 route del default proto 77',
  ],
  'neigh.replace': [
    { op: 'neigh.replace', neighbour },
    'ip neigh replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent',
  ],
  'neigh.del': [
    { op: 'neigh.del', neighbour },
    'ip neigh del 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent',
  ],
  'fdb.append': [
    { op: 'fdb.append', entry },
    'bridge fdb append ee:ee:ee:ee:ee:ee dev vx dst 192.168.1.102 self permanent',
  ],
  'fdb.replace': [
    { op: 'fdb.replace', entry },
    'bridge fdb replace ee:ee:ee:ee:ee:ee dev vx dst 192.168.1.102 self permanent',
  ],
  'fdb.del': [{ op: 'fdb.del', entry }, 'bridge fdb del ee:ee:ee:ee:ee:ee dev vx dst 192.168.1.102 self permanent'],
  'rule.add': [{ op: 'rule.add', rule }, 'ip rule add pref 100 from all fwmark 0x1/0xff lookup 77'],
  'rule.del': [{ op: 'rule.del', rule }, 'ip rule del pref 100 from all fwmark 0x1/0xff lookup 77'],
  'qdisc.add': [
    { op: 'qdisc.add', qdisc: { link: 'v', info: { kind: 'tbf', rate: 125_000, burst: 10_000, limit: 20_000 } } },
    'tc qdisc add dev v root tbf rate 125000bps burst 10000 limit 20000',
  ],
  'qdisc.replace': [
    {
      op: 'qdisc.replace',
      qdisc: { link: 'v', parent: tcId(1, 0x30), handle: tcId(2), info: { kind: 'htb', defaultClass: 48 } },
    },
    'tc qdisc replace dev v parent 1:30 handle 2: htb default 30',
  ],
  'qdisc.del': [{ op: 'qdisc.del', qdisc: { link: 'v', info: { kind: 'ingress' } } }, 'tc qdisc del dev v ingress'],
  'class.add': [
    { op: 'class.add', class: tcClass },
    'tc class add dev v parent 1: classid 1:30 htb rate 1000bps ceil 2000bps burst 1600 cburst 1700',
  ],
  'class.replace': [
    { op: 'class.replace', class: tcClass },
    'tc class replace dev v parent 1: classid 1:30 htb rate 1000bps ceil 2000bps burst 1600 cburst 1700',
  ],
  'class.del': [{ op: 'class.del', class: tcClass }, 'tc class del dev v parent 1: classid 1:30'],
  'filter.add': [
    { op: 'filter.add', filter: { ...filter, match: { kind: 'u32', keys: [] } } },
    'tc filter add dev v ingress protocol all pref 1 u32 match u32 0x00000000 0x00000000 at 0 ' +
      'action mirred egress redirect dev ifb0',
  ],
  'filter.replace': [
    { op: 'filter.replace', filter: { ...filter, parent: tcId(1), class: tcId(1, 1), action: { kind: 'pass' } } },
    'tc filter replace dev v parent 1: protocol all pref 1 matchall classid 1:1 action pass',
  ],
  'filter.del': [
    { op: 'filter.del', filter: { ...filter, handle: 0x80000800, match: { kind: 'u32', keys: [] } } },
    'tc filter del dev v ingress protocol all pref 1 handle 800::800 u32',
  ],
} as const satisfies Readonly<Record<NetlinkOp['op'], readonly [NetlinkOp, string]>>;

for (const [kind, [op, line]] of Object.entries(LINES)) {
  test(`${kind} prints as the line that does the same`, () => {
    assert.equal(printOp(op), line);
  });
}

const KINDS: Readonly<Record<string, NewLink>> = {
  'ip link add link eth0 name m txqueuelen 7 netns /proc/self/fd/9 type macvlan mode bridge bcqueuelen 100': {
    name: 'm',
    info: { kind: 'macvlan', mode: 'bridge', bcQueueLen: 100 },
    parent: 'eth0',
    txQueueLen: 7,
    netns: 9,
  },
  'ip link add link eth0 name i type ipvlan mode l3s private': {
    name: 'i',
    info: { kind: 'ipvlan', mode: 'l3s', flag: 'private' },
    parent: 'eth0',
  },
  'ip link add link eth0 name eth0.5 type vlan protocol 802.1q id 5': {
    name: 'eth0.5',
    info: { kind: 'vlan', id: 5, protocol: '802.1q' },
    parent: 'eth0',
  },
  'ip link add name tunl0 mtu 1480 type ipip ttl inherit pmtudisc': {
    name: 'tunl0',
    info: { kind: 'ipip', ttl: 0, pmtuDiscovery: true },
    mtu: 1480,
  },
  'ip link add name wireguard.cali type wireguard': { name: 'wireguard.cali', info: { kind: 'wireguard' } },
  'ip link add name d type dummy': { name: 'd', info: { kind: 'dummy' } },
  'ip link add name f type ifb': { name: 'f', info: { kind: 'ifb' } },
  'ip link add name red up type vrf table 10': { name: 'red', info: { kind: 'vrf', table: 10 }, up: true },
  'ip link add name br type bridge vlan_filtering 1 vlan_default_pvid 0': {
    name: 'br',
    info: { kind: 'bridge', vlanFiltering: true, vlanDefaultPvid: 0 },
  },
};

for (const [printed, link] of Object.entries(KINDS)) {
  test(`an interface of kind ${link.info.kind} prints with what is its own`, () => {
    assert.equal(printOp({ op: 'link.add', link }), printed);
  });
}

test('a rule for what does not fit prints so', () => {
  const op = { op: 'rule.add', rule: { ...rule, invert: true } } as const;
  assert.equal(printOp(op), 'ip rule add pref 100 not from all fwmark 0x1/0xff lookup 77');
});

test('a filter that is a program prints its name', () => {
  const match = { kind: 'bpf', name: 'polder-ipip-out', program: 9 } as const;
  const op = {
    op: 'filter.replace',
    filter: { link: 'v', parent: 'egress', priority: 4, protocol: 'all', match },
  } as const;
  assert.equal(
    printOp(op),
    'tc filter replace dev v egress protocol all pref 4 bpf direct-action name polder-ipip-out',
  );
});

test('every wish of a change prints', () => {
  const change = { promisc: true, allmulti: false, arp: false, txQueueLen: 5, addrGenMode: 'none' } as const;
  const port = { learning: false, unicastFlood: false };
  assert.equal(
    printOp({ op: 'link.set', name: 'v', change: { ...change, ...port } }),
    'ip link set dev v txqueuelen 5 promisc on allmulticast off arp off addrgenmode none && ' +
      'bridge link set dev v learning off flood off',
  );
  assert.equal(
    printOp({ op: 'link.set', name: 'v', change: { arpNotify: true, up: true } }),
    'sysctl -w net/ipv4/conf/v/arp_notify=1 && ip link set dev v up',
  );
});

test('an alias prints as a second command, quoted for a shell', () => {
  const op = { op: 'link.add', link: { name: 'br', info: { kind: 'bridge' }, alias: "it's ours" } } as const;
  assert.equal(printOp(op), `ip link add name br type bridge && ip link set dev br alias 'it'\\''s ours'`);
});

test('missingFeature names what the kernel lacks, and nothing where an object is at fault', () => {
  const vxlan = {
    op: 'link.add',
    link: { name: 'vx', info: { kind: 'vxlan', vni: 1, port: 4789, learning: false } },
  } as const;
  assert.equal(missingFeature(vxlan, 'EOPNOTSUPP'), 'interfaces of kind vxlan');
  assert.equal(
    missingFeature({ op: 'route.add', route: { ...route, to: parsePrefix('fd00::/64') } }, 'EAFNOSUPPORT'),
    'IPv6',
  );
  assert.equal(missingFeature({ op: 'rule.add', rule }, 'EOPNOTSUPP'), 'policy routing');
  assert.equal(missingFeature({ op: 'fdb.append', entry }, 'EOPNOTSUPP'), undefined);
  assert.equal(missingFeature(vxlan, 'EEXIST'), undefined);
  const vlan = { op: 'bridgeVlan.add', vlan: { link: 'v', vid: 5 } } as const;
  assert.equal(missingFeature(vlan, 'EOPNOTSUPP'), 'VLAN filtering of bridges');
});

test('refusalError says the line and the reason', () => {
  const { message, code } = refusalError({ op: { op: 'link.del', name: 'v' }, code: 'ENODEV' });
  assert.equal(code, 'kernel-refused');
  assert.equal(message, 'The kernel refused `ip link del dev v`: there is no such interface (ENODEV).');
});

test('addressKeys cover as many words as the prefix is long', () => {
  assert.deepEqual(addressKeys('destination', parsePrefix('10.1.2.0/23')), [
    { value: 0x0a010200, mask: 0xfffffe00, at: 16 },
  ]);
  assert.deepEqual(addressKeys('source', parsePrefix('0.0.0.0/0')), []);
  assert.deepEqual(addressKeys('source', parsePrefix('fd00:1::/40')), [
    { value: 0xfd000001, mask: 0xffffffff, at: 8 },
    { value: 0, mask: 0xff000000, at: 12 },
  ]);
});
