/** Every message is read as it was written, and bytes that are none are refused without harm. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addrFromBytes, type Family } from '#net/addr.ts';
import { macFromBytes } from '#net/mac.ts';
import { ifAddr, prefixOf } from '#net/prefix.ts';
import { readAck } from '#wire/netlink/ack.ts';
import { readInterfaceAddress } from '#wire/netlink/address.ts';
import { readBridgeVlans } from '#wire/netlink/bridge-vlan.ts';
import { readEvent } from '#wire/netlink/event.ts';
import { readFilter } from '#wire/netlink/filter.ts';
import { readLink, readLinkBrief } from '#wire/netlink/link.ts';
import { NoSuchLink } from '#wire/netlink/names.ts';
import { readFdbEntry, readNeighbour } from '#wire/netlink/neighbour.ts';
import { linksNeeded, writeOp } from '#wire/netlink/op.ts';
import { readClass, readQdisc } from '#wire/netlink/qdisc.ts';
import { type Message, readMessages } from '#wire/netlink/reader.ts';
import { readRoute } from '#wire/netlink/route.ts';
import { readRule } from '#wire/netlink/rule.ts';
import { burstTicks, ticksToBurst } from '#wire/netlink/tc-rate.ts';
import type { Filter, Qdisc, TcClass } from '#wire/netlink/tc-values.ts';
import type {
  Address,
  BridgeVlan,
  FdbEntry,
  LinkChange,
  LinkInfo,
  Neighbour,
  NetlinkOp,
  NewLink,
  NextHop,
  Route,
  RouteType,
  Rule,
  Scope,
} from '#wire/netlink/values.ts';
import { Writer } from '#wire/netlink/writer.ts';

const NAMES = ['lo', 'eth0', 'cali0123456789a', 'polder.vxlan'];
const names = {
  indexOf(name: string): number {
    const index = NAMES.indexOf(name);
    if (index < 0) throw new NoSuchLink(name);
    return index + 1;
  },
  nameOf: (index: number) => NAMES[index - 1],
};

const link = fc.constantFrom(...NAMES);
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(macFromBytes);
const addrOfFamily = (family: Family) => {
  const length = family === 4 ? 4 : 16;
  return fc.uint8Array({ minLength: length, maxLength: length }).map(addrFromBytes);
};
const addr = fc.constantFrom<Family>(4, 6).chain(addrOfFamily);
const prefixOfFamily = (family: Family) =>
  fc.tuple(addrOfFamily(family), fc.nat(family === 4 ? 32 : 128)).map(([a, length]) => prefixOf(a, length));
const family = fc.constantFrom<Family>(4, 6);
const u8 = fc.integer({ min: 1, max: 255 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const scope = fc.constantFrom<Scope>('global', 'site', 'link', 'host', 'nowhere');
const routeTypes: readonly RouteType[] = [
  'unicast',
  'local',
  'broadcast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'multicast',
  'anycast',
];

/** Records with the usual prototype: deepEqual tells the difference. */
const PLAIN = { noNullPrototype: true } as const;

/** A record of which the keys in `required` are always there and the others mostly; never there with `undefined`. */
function some<T, K extends keyof T>(
  model: { [P in keyof T]: fc.Arbitrary<T[P]> },
  required: K[],
): fc.Arbitrary<Pick<T, K> & Partial<T>> {
  return fc.record(model, { requiredKeys: required, noNullPrototype: true }) as fc.Arbitrary<Pick<T, K> & Partial<T>>;
}

const infos: { readonly [K in LinkInfo['kind']]: fc.Arbitrary<Extract<LinkInfo, { kind: K }>> } = {
  veth: fc.constant({ kind: 'veth' }),
  bridge: some(
    {
      kind: fc.constant('bridge' as const),
      stp: fc.boolean(),
      vlanFiltering: fc.boolean(),
      vlanDefaultPvid: fc.nat(4094),
    },
    ['kind', 'stp', 'vlanFiltering'],
  ),
  macvlan: some(
    {
      kind: fc.constant('macvlan' as const),
      mode: fc.constantFrom('private', 'vepa', 'bridge', 'passthru'),
      bcQueueLen: u32,
    },
    ['kind', 'mode'],
  ),
  ipvlan: fc.record(
    {
      kind: fc.constant('ipvlan'),
      mode: fc.constantFrom('l2', 'l3', 'l3s'),
      flag: fc.constantFrom('bridge', 'private', 'vepa'),
    },
    PLAIN,
  ),
  vlan: fc.record(
    { kind: fc.constant('vlan'), id: fc.nat(4094), protocol: fc.constantFrom('802.1q', '802.1ad') },
    PLAIN,
  ),
  dummy: fc.constant({ kind: 'dummy' }),
  ifb: fc.constant({ kind: 'ifb' }),
  vrf: fc.record({ kind: fc.constant('vrf'), table: u32 }, PLAIN),
  tun: some(
    {
      kind: fc.constant('tun' as const),
      mode: fc.constantFrom('tun', 'tap'),
      owner: u32,
      group: u32,
      persist: fc.boolean(),
      multiQueue: fc.boolean(),
    },
    ['kind', 'mode', 'persist', 'multiQueue'],
  ),
  vxlan: some(
    {
      kind: fc.constant('vxlan' as const),
      vni: fc.nat(0xffffff),
      port: fc.nat(0xffff),
      local: addr,
      underlay: link,
      learning: fc.boolean(),
    },
    ['kind', 'vni', 'port', 'learning'],
  ),
  ipip: some(
    {
      kind: fc.constant('ipip' as const),
      local: addrOfFamily(4).filter((a) => a !== '0.0.0.0'),
      remote: addrOfFamily(4).filter((a) => a !== '0.0.0.0'),
      ttl: fc.nat(255),
      pmtuDiscovery: fc.boolean(),
    },
    ['kind', 'ttl', 'pmtuDiscovery'],
  ),
  wireguard: fc.constant({ kind: 'wireguard' }),
  other: fc.record({ kind: fc.constant('other'), name: fc.constantFrom('', 'geneve', 'gre') }, PLAIN),
};

const newLink: fc.Arbitrary<NewLink> = some(
  {
    name: link,
    info: fc.oneof(...Object.values(infos)),
    mac,
    mtu: u32,
    up: fc.boolean(),
    master: link,
    parent: link,
    txQueueLen: u32,
    group: u32,
  },
  ['name', 'info'],
);
const linkChange: fc.Arbitrary<LinkChange> = some(
  {
    mac,
    mtu: u32,
    up: fc.boolean(),
    master: link,
    alias: fc.string({ minLength: 1, maxLength: 30 }).filter((s) => !s.includes('\0')),
    group: u32,
    promisc: fc.boolean(),
    allmulti: fc.boolean(),
    arp: fc.boolean(),
    txQueueLen: u32,
    addrGenMode: fc.constantFrom('eui64', 'none', 'stable_secret', 'random'),
    arpNotify: fc.boolean(),
  },
  [],
);
const bridgeVlan: fc.Arbitrary<BridgeVlan> = fc
  .tuple(link, fc.integer({ min: 1, max: 4094 }), fc.integer({ min: 1, max: 4094 }), fc.boolean(), fc.boolean())
  .map(([l, a, b, flagged, range]) => ({
    link: l,
    vid: Math.min(a, b),
    ...(range && a !== b ? { end: Math.max(a, b) } : flagged ? { pvid: true } : {}),
    ...(flagged ? { untagged: true } : {}),
  }));
const address: fc.Arbitrary<Address> = fc
  .tuple(family, link, scope, u32)
  .chain(([f, l, s, flags]) =>
    fc
      .tuple(addrOfFamily(f), fc.nat(f === 4 ? 32 : 128))
      .map(([a, length]) => ({ link: l, address: ifAddr(a, length), scope: s, flags })),
  );
const hop = (f: Family): fc.Arbitrary<NextHop> =>
  some({ via: addrOfFamily(f), link, onlink: fc.constant(true) }, ['link']);
const hops = (f: Family): fc.Arbitrary<readonly NextHop[]> =>
  fc.oneof(
    fc.constant([]),
    hop(f).map((h) => [h]),
    fc.array(
      fc.tuple(hop(f), fc.integer({ min: 1, max: 256 })).map(([h, weight]) => ({ ...h, weight })),
      { minLength: 2, maxLength: 5 },
    ),
  );
const route: fc.Arbitrary<Route> = family.chain((f) =>
  some(
    {
      to: prefixOfFamily(f),
      type: fc.constantFrom(...routeTypes),
      table: u32,
      protocol: u8,
      scope,
      source: addrOfFamily(f),
      metric: u32,
      mtu: u32,
      advmss: u32,
      hops: hops(f),
    },
    ['to', 'type', 'table', 'protocol', 'scope', 'hops'],
  ),
);
const neighbour: fc.Arbitrary<Neighbour> = some({ link, addr, mac, state: fc.nat(0xffff) }, ['link', 'addr', 'state']);
const fdbEntry: fc.Arbitrary<FdbEntry> = some({ link, mac, dst: addr, state: fc.nat(0xffff), flags: fc.nat(0xff) }, [
  'link',
  'mac',
  'state',
  'flags',
]);
const rule: fc.Arbitrary<Rule> = family.chain((f) =>
  some(
    {
      family: fc.constant(f),
      priority: u32,
      table: u32,
      from: prefixOfFamily(f).filter((p) => !p.endsWith('/0')),
      to: prefixOfFamily(f).filter((p) => !p.endsWith('/0')),
      invert: fc.constant(true),
      mark: fc.record({ value: u32, mask: u32 }, PLAIN),
      inLink: link,
      outLink: link,
      protocol: u8,
    },
    ['family', 'priority', 'table'],
  ),
);

/** Of bursts only those that are whole ticks are read back as they were. */
const rate = fc.constantFrom(0.125, 1, 2, 300).map((mega) => mega * 15_625_000);
const burst = fc.nat(1_000_000).map((n) => n * 1000);
const tcId = fc.integer({ min: 1, max: 0xfffeffff });
const qdisc: fc.Arbitrary<Qdisc> = fc.oneof(
  fc
    .tuple(link, rate, burst, u32)
    .map(([l, r, b, limit]): Qdisc => ({ link: l, info: { kind: 'tbf', rate: r, burst: wholeTicks(r, b), limit } })),
  fc.record({ link, info: fc.constantFrom({ kind: 'ingress' } as const, { kind: 'clsact' } as const) }, PLAIN),
  some(
    {
      link,
      parent: tcId,
      handle: tcId,
      info: fc.oneof(
        fc.record({ kind: fc.constant('htb' as const), defaultClass: u32 }, PLAIN),
        fc.constant({ kind: 'other', name: 'fq_codel' } as const),
      ),
    },
    ['link', 'info'],
  ),
);
const wholeTicks = (r: number, b: number) => ticksToBurst(r, burstTicks(r, b));
const tcClass: fc.Arbitrary<TcClass> = fc
  .record({ link, parent: tcId, id: tcId, rate, ceil: rate, burst, ceilBurst: burst }, PLAIN)
  .map((c) => ({ ...c, burst: wholeTicks(c.rate, c.burst), ceilBurst: wholeTicks(c.ceil, c.ceilBurst) }));
const key = fc.record({ value: u32, mask: u32.filter((m) => m !== 0), at: fc.nat(60) }, PLAIN);
const plainFilter: fc.Arbitrary<Filter> = some(
  {
    link,
    parent: fc.oneof(fc.constantFrom('ingress' as const, 'egress' as const), tcId),
    priority: fc.integer({ min: 1, max: 0xffff }),
    protocol: fc.constantFrom('all', 'ip', 'ipv6', 'arp'),
    match: fc.oneof(
      fc.constant({ kind: 'matchall' } as const),
      fc.record({ kind: fc.constant('u32' as const), keys: fc.array(key, { maxLength: 5 }) }, PLAIN),
    ),
    class: tcId,
    action: fc.oneof(
      fc.record({ kind: fc.constant('redirect' as const), to: link }, PLAIN),
      fc.constantFrom({ kind: 'drop' } as const, { kind: 'pass' } as const),
    ),
    handle: tcId,
  },
  ['link', 'parent', 'priority', 'protocol', 'match'],
);
/** A program decides by itself: there is neither class nor action. */
const programFilter: fc.Arbitrary<Filter> = fc
  .tuple(plainFilter, fc.constantFrom('polder-ipip-out', 'x'))
  .map(([{ class: _c, action: _a, ...rest }, name]) => ({ ...rest, match: { kind: 'bpf', name } }));
const filter = fc.oneof(plainFilter, programFilter);

const ops: Readonly<Record<NetlinkOp['op'], fc.Arbitrary<NetlinkOp>>> = {
  'link.add': fc.record({ op: fc.constant('link.add'), link: newLink }),
  'link.set': fc.record({ op: fc.constant('link.set'), name: link, change: linkChange }),
  'link.del': fc.record({ op: fc.constant('link.del'), name: link }),
  'link.delGroup': fc.record({ op: fc.constant('link.delGroup'), group: u8 }),
  'bridgeVlan.add': fc.record({ op: fc.constant('bridgeVlan.add'), vlan: bridgeVlan }),
  'bridgeVlan.del': fc.record({ op: fc.constant('bridgeVlan.del'), vlan: bridgeVlan }),
  'addr.add': fc.record({ op: fc.constant('addr.add'), address }),
  'addr.replace': fc.record({ op: fc.constant('addr.replace'), address }),
  'addr.del': fc.record({ op: fc.constant('addr.del'), address }),
  'route.add': fc.record({ op: fc.constant('route.add'), route }),
  'route.replace': fc.record({ op: fc.constant('route.replace'), route }),
  'route.append': fc.record({ op: fc.constant('route.append'), route }),
  'route.del': fc.record({ op: fc.constant('route.del'), route }),
  'neigh.replace': fc.record({ op: fc.constant('neigh.replace'), neighbour }),
  'neigh.del': fc.record({ op: fc.constant('neigh.del'), neighbour }),
  'fdb.append': fc.record({ op: fc.constant('fdb.append'), entry: fdbEntry }),
  'fdb.replace': fc.record({ op: fc.constant('fdb.replace'), entry: fdbEntry }),
  'fdb.del': fc.record({ op: fc.constant('fdb.del'), entry: fdbEntry }),
  'rule.add': fc.record({ op: fc.constant('rule.add'), rule }),
  'rule.del': fc.record({ op: fc.constant('rule.del'), rule }),
  'qdisc.add': fc.record({ op: fc.constant('qdisc.add'), qdisc }),
  'qdisc.replace': fc.record({ op: fc.constant('qdisc.replace'), qdisc }),
  'qdisc.del': fc.record({ op: fc.constant('qdisc.del'), qdisc }),
  'class.add': fc.record({ op: fc.constant('class.add'), class: tcClass }),
  'class.replace': fc.record({ op: fc.constant('class.replace'), class: tcClass }),
  'class.del': fc.record({ op: fc.constant('class.del'), class: tcClass }),
  'filter.add': fc.record({ op: fc.constant('filter.add'), filter }),
  'filter.replace': fc.record({ op: fc.constant('filter.replace'), filter }),
  'filter.del': fc.record({ op: fc.constant('filter.del'), filter }),
};

function written(op: NetlinkOp): Message[] {
  const writer = new Writer(16);
  let seq = 7;
  writeOp(writer, op, names, () => seq++);
  const bytes = writer.bytes.slice();
  return readMessages(new DataView(bytes.buffer), bytes.length);
}

/** What a message of the operation says, read as the kernel's own message of that table would be. */
function readBack(op: NetlinkOp, message: Message): unknown {
  if ('address' in op) return readInterfaceAddress(message, names);
  if ('route' in op) return readRoute(message, names);
  if ('neighbour' in op) return readNeighbour(message, names);
  if ('entry' in op) return readFdbEntry(message, names);
  if ('rule' in op) return readRule(message);
  if ('vlan' in op) return readBridgeVlans(message, names);
  if ('qdisc' in op) return readQdisc(message, names);
  if ('class' in op) return readClass(message, names);
  if ('filter' in op) return readFilter(message, names);
  return readLink(message, names);
}

/** What reading gives for what was written: indices in the place of names, and the kernel's own values where none was said. */
function expected(op: NetlinkOp): unknown {
  if ('address' in op) return op.address;
  if ('route' in op) return op.route;
  if ('neighbour' in op) return op.neighbour;
  if ('entry' in op) return op.entry;
  if ('rule' in op) return op.rule;
  if ('qdisc' in op) return op.qdisc;
  if ('class' in op) return op.class;
  // A deletion says which, not what, as the kernel does of a classifier that only holds filters.
  if ('filter' in op) return op.op === 'filter.del' ? undefined : op.filter;
  // What a message about a port says of a master it says of none.
  if ('vlan' in op) return [{ ...op.vlan, self: true }];
  const bare = {
    index: 0,
    name: '',
    mtu: 0,
    up: false,
    lowerUp: false,
    loopback: false,
    group: 0,
    info: { kind: 'other', name: '' },
  };
  if (op.op === 'link.del') return { ...bare, name: op.name };
  if (op.op === 'link.delGroup') return { ...bare, group: op.group };
  const said: Partial<NewLink> & LinkChange = op.op === 'link.add' ? op.link : op.change;
  // `arpNotify` is never told.
  const { master, parent, promisc, allmulti, arp, arpNotify: _, ...rest } = said;
  return {
    ...bare,
    ...(op.op === 'link.set' && { name: op.name }),
    ...rest,
    ...(master === undefined ? {} : { master: names.indexOf(master) }),
    ...(parent === undefined ? {} : { parent: names.indexOf(parent) }),
    ...(promisc ? { promisc } : {}),
    ...(allmulti ? { allmulti } : {}),
    ...(arp === false ? { noArp: true } : {}),
  };
}

for (const [kind, arbitrary] of Object.entries(ops)) {
  test(`${kind} is read back as it was written`, () => {
    fc.assert(
      fc.property(arbitrary, (op) => {
        for (const message of written(op)) assert.deepEqual(readBack(op, message), expected(op));
      }),
    );
  });
}

const anyOp = fc.oneof(...Object.values(ops));

test('linksNeeded names every interface that a message needs', () => {
  fc.assert(
    fc.property(anyOp, (op) => {
      const asked = new Set<string>();
      const spy = { indexOf: (name: string) => asked.add(name).size };
      writeOp(new Writer(), op, spy, () => 1);
      assert.deepEqual(asked, new Set(linksNeeded(op)));
    }),
  );
});

/** Calls every reader; each must return, or throw a SyntaxError. */
function readAll(view: DataView, length: number): void {
  const attempt = (read: () => unknown) => {
    try {
      read();
    } catch (error) {
      assert.ok(error instanceof SyntaxError, String(error));
    }
  };
  let messages: Message[] = [];
  attempt(() => {
    messages = readMessages(view, length);
  });
  for (const message of messages) {
    attempt(() => readEvent(message, names));
    attempt(() => readLinkBrief(message));
    attempt(() => readRule(message));
    attempt(() => readBridgeVlans(message, names));
    attempt(() => readQdisc(message, names));
    attempt(() => readClass(message, names));
    attempt(() => readFilter(message, names));
    attempt(() => readFdbEntry(message, names));
    attempt(() => readAck(message));
  }
}

test('readers of random bytes return or throw a SyntaxError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => readAll(new DataView(bytes.buffer), bytes.length)),
  );
});

test('readers of messages that are cut off or spoiled return or throw a SyntaxError', () => {
  const spoiled = fc.tuple(anyOp, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }), fc.nat(400));
  fc.assert(
    fc.property(spoiled, ([op, changes, cut]) => {
      const writer = new Writer();
      writeOp(writer, op, names, () => 1);
      const bytes = writer.bytes.slice(0, Math.max(0, writer.length - cut));
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      readAll(new DataView(bytes.buffer), bytes.length);
    }),
    { numRuns: 1000 },
  );
});

test('readAck tells the errno, the text and the offset', () => {
  const writer = new Writer();
  const NLM_F_CAPPED_AND_TLVS = 0x300;
  writer.message(2, NLM_F_CAPPED_AND_TLVS, 1, () => {
    writer.u32(-17 >>> 0);
    for (let i = 0; i < 4; i++) writer.u32(16);
    writer.attrText(1, 'File is there');
    writer.attrU32(2, 36);
  });
  const [message] = readMessages(new DataView(writer.bytes.slice().buffer), writer.length);
  assert.ok(message);
  assert.deepEqual(readAck(message), { errno: 17, text: 'File is there', offset: 36 });
});

test('an attribute that is too long to say is a RangeError', () => {
  const writer = new Writer();
  assert.throws(() => writer.attrBytes(1, new Uint8Array(70_000)), RangeError);
});
