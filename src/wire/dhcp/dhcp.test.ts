import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addrFromBytes, parseAddr } from '#net/addr.ts';
import { macFromBytes, parseMac } from '#net/mac.ts';
import { parsePrefix, prefixOf } from '#net/prefix.ts';
import { decodeClientId, duidOfUuid, encodeClientId } from '#wire/dhcp/client-id.ts';
import { readLease } from '#wire/dhcp/lease.ts';
import { type DhcpMessage, decodeMessage, encodeMessage } from '#wire/dhcp/message.ts';
import {
  encodeClasslessRoutes,
  messageType,
  OPTION,
  optionCode,
  readClasslessRoutes,
  readDomainSearch,
  readMask,
  readStaticRoutes,
  readText,
  uint32,
} from '#wire/dhcp/options.ts';
import { decodeUdpPacket, encodeUdpPacket } from '#wire/dhcp/packet.ts';

/** Objects that compare with others by deepEqual. */
const PLAIN = { noNullPrototype: true };

const addr = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(addrFromBytes);
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(macFromBytes);
const uint16 = fc.nat(0xffff);
// 52 says where options are, and is none itself.
const code = fc.integer({ min: 1, max: 254 }).filter((n) => n !== 52);
const options = fc
  .array(fc.tuple(code, fc.uint8Array({ maxLength: 600 })), { maxLength: 8 })
  .map((pairs) => new Map(pairs.map(([key, value]) => [key, Uint8Array.from(value)])));
const message: fc.Arbitrary<DhcpMessage> = fc.record(
  {
    op: fc.constantFrom('request', 'reply'),
    xid: fc.nat(0xffffffff),
    secs: uint16,
    broadcast: fc.boolean(),
    ciaddr: addr,
    yiaddr: addr,
    siaddr: addr,
    giaddr: addr,
    chaddr: mac,
    options,
  },
  PLAIN,
);

const hex = (text: string) => Uint8Array.from(text.trim().split(/\s+/), (byte) => Number.parseInt(byte, 16));
const routers = (...texts: string[]) => Uint8Array.from(texts.flatMap((text) => text.split('.').map(Number)));

const ANSWER: DhcpMessage = {
  op: 'reply',
  xid: 7,
  secs: 0,
  broadcast: false,
  ciaddr: parseAddr('0.0.0.0'),
  yiaddr: parseAddr('10.1.0.5'),
  siaddr: parseAddr('10.1.0.1'),
  giaddr: parseAddr('0.0.0.0'),
  chaddr: parseMac('02:00:00:00:00:05'),
  options: new Map(),
};

/** An answer with the options that a lease needs, and more. */
function answer(more: Iterable<[number, Uint8Array]> = []): DhcpMessage {
  const usual: [number, Uint8Array][] = [
    [OPTION['dhcp-message-type'], Uint8Array.of(5)],
    [OPTION['dhcp-server-identifier'], routers('10.1.0.1')],
    [OPTION['subnet-mask'], routers('255.255.255.0')],
    [OPTION['dhcp-lease-time'], uint32(3600)],
  ];
  return { ...ANSWER, options: new Map([...usual, ...more]) };
}

test('decodeMessage of encodeMessage gives the same message, long options among them', () => {
  fc.assert(fc.property(message, (value) => assert.deepEqual(decodeMessage(encodeMessage(value)), value)));
});

test('decodeMessage throws at no bytes, and takes none for a message without the magic cookie', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => assert.equal(decodeMessage(bytes), undefined)));
});

test('decodeMessage and readLease throw at no message that was changed on its way', () => {
  const changes = fc.array(fc.tuple(fc.nat(700), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(message, changes, fc.nat(900), (value, bytes, cut) => {
      const sent = encodeMessage(value);
      for (const [at, byte] of bytes) sent[at % sent.length] = byte;
      const got = decodeMessage(sent.subarray(0, cut));
      if (got) readLease(got);
    }),
    { numRuns: 1000 },
  );
});

test('encodeMessage is at least as long as relays want it, and refuses what is no code', () => {
  assert.equal(encodeMessage(ANSWER).length, 300);
  for (const bad of [0, 255, 1.5])
    assert.throws(() => encodeMessage({ ...ANSWER, options: new Map([[bad, hex('1')]]) }));
});

test('decodeMessage reads options that stand in file and sname, after those of their own place', () => {
  const bytes = encodeMessage({ ...ANSWER, options: new Map([[OPTION['domain-name'], hex('61')]]) });
  bytes.set([OPTION['domain-name'], 1, 0x61, 52, 1, 3, 255], 240);
  bytes.set([OPTION['domain-name'], 1, 0x62, 255], 108);
  bytes.set([12, 1, 0x63, 255], 44);
  const got = decodeMessage(bytes)?.options;
  assert.equal(readText(got?.get(OPTION['domain-name'])), 'ab');
  assert.equal(readText(got?.get(12)), 'c');
  assert.equal(got?.has(52), false);
});

test('decodeMessage refuses an option that goes beyond the end, and forgives a missing end mark', () => {
  const bytes = encodeMessage(ANSWER).subarray(0, 240);
  assert.equal(decodeMessage(Uint8Array.of(...bytes, 12, 9, 0x61)), undefined);
  assert.ok(decodeMessage(Uint8Array.of(...bytes, 12, 1, 0x61)));
});

test('messageType is that of option 53, if it is one', () => {
  assert.equal(messageType(answer()), 'ACK');
  assert.equal(messageType({ ...ANSWER, options: new Map([[53, hex('63')]]) }), undefined);
  assert.equal(messageType(ANSWER), undefined);
});

test('optionCode takes the names of dhcp-options(5) and numbers', () => {
  assert.deepEqual(['host-name', '12', '254'].map(optionCode), [12, 12, 254]);
  for (const bad of ['', '0', '255', '1000', 'host', '-1', 'toString', '1.5']) assert.equal(optionCode(bad), undefined);
});

test('readMask takes masks whose ones come first', () => {
  for (let length = 0; length <= 32; length++) {
    assert.equal(readMask(uint32(length === 0 ? 0 : (2 ** 32 - 2 ** (32 - length)) >>> 0)), length);
  }
  for (const bad of ['255.0.255.0', '0.0.0.1']) assert.equal(readMask(routers(bad)), undefined, bad);
  assert.equal(readMask(hex('ff')), undefined);
});

test('readClasslessRoutes of encodeClasslessRoutes gives the same routes', () => {
  const route = fc.record({ dst: fc.tuple(addr, fc.nat(32)).map(([a, n]) => prefixOf(a, n)), via: addr }, PLAIN);
  const routes = fc.array(
    route.map(({ dst, via }) => (via === '0.0.0.0' ? { dst } : { dst, via })),
    { minLength: 1, maxLength: 5 },
  );
  fc.assert(fc.property(routes, (value) => assert.deepEqual(readClasslessRoutes(encodeClasslessRoutes(value)), value)));
});

test("readClasslessRoutes reads the RFC's forms, and nothing that is cut off", () => {
  const value = hex('08 0a 0a 01 00 01 00 0a 01 00 01 20 0a 01 02 03 00 00 00 00');
  assert.deepEqual(readClasslessRoutes(value), [
    { dst: parsePrefix('10.0.0.0/8'), via: parseAddr('10.1.0.1') },
    { dst: parsePrefix('0.0.0.0/0'), via: parseAddr('10.1.0.1') },
    { dst: parsePrefix('10.1.2.3/32') },
  ]);
  assert.equal(readClasslessRoutes(value.subarray(0, 10)), undefined);
  assert.equal(readClasslessRoutes(hex('21 0a 0a 0a 0a 0a 01 00 01 01')), undefined);
});

test('readStaticRoutes takes networks by their class and anything else as a host', () => {
  const value = routers(
    '10.0.0.0',
    '10.1.0.1',
    '192.168.7.0',
    '10.1.0.2',
    '172.16.0.9',
    '10.1.0.3',
    '0.0.0.0',
    '1.1.1.1',
  );
  assert.deepEqual(
    readStaticRoutes(value)?.map(({ dst, via }) => `${dst} ${via}`),
    ['10.0.0.0/8 10.1.0.1', '192.168.7.0/24 10.1.0.2', '172.16.0.9/32 10.1.0.3'],
  );
  assert.equal(readStaticRoutes(routers('10.0.0.0')), undefined);
});

test('readDomainSearch follows pointers backwards and never round', () => {
  // RFC 3397 §2: eng.apple.com, marketing.apple.com.
  const value = hex('03 65 6e 67 05 61 70 70 6c 65 03 63 6f 6d 00 09 6d 61 72 6b 65 74 69 6e 67 c0 04');
  assert.deepEqual(readDomainSearch(value), ['eng.apple.com', 'marketing.apple.com']);
  assert.equal(readDomainSearch(hex('c0 00')), undefined);
  assert.equal(readDomainSearch(hex('01 61 c0 00')), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void readDomainSearch(bytes)));
});

test('decodeClientId of encodeClientId gives the same identifier of each kind', () => {
  const bytes = fc.uint8Array({ minLength: 2, maxLength: 40 }).map((value) => Uint8Array.from(value));
  const id = fc.oneof(
    fc.record({ kind: fc.constant('name' as const), name: fc.stringMatching(/^[ -~]{1,60}$/) }, PLAIN),
    fc.record(
      { kind: fc.constant('hardware' as const), type: fc.integer({ min: 1, max: 254 }), address: bytes },
      PLAIN,
    ),
    fc.record({ kind: fc.constant('duid' as const), iaid: fc.nat(0xffffffff), duid: bytes }, PLAIN),
  );
  fc.assert(fc.property(id, (value) => assert.deepEqual(decodeClientId(encodeClientId(value)), value)));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 9 }), (value) => void decodeClientId(value)));
  assert.deepEqual([...duidOfUuid(new Uint8Array(16).fill(9))].slice(0, 3), [0, 4, 9]);
  assert.throws(() => duidOfUuid(new Uint8Array(15)), RangeError);
});

test('decodeUdpPacket of encodeUdpPacket gives the same packet; one changed bit, and it is none', () => {
  const packet = fc.record(
    {
      src: addr,
      dst: addr,
      srcPort: uint16,
      dstPort: uint16,
      payload: fc.uint8Array({ maxLength: 300 }).map((value) => Uint8Array.from(value)),
    },
    PLAIN,
  );
  fc.assert(
    fc.property(packet, fc.nat(), (value, at) => {
      const bytes = encodeUdpPacket(value);
      assert.deepEqual(decodeUdpPacket(bytes), value);
      const bit = at % (8 * bytes.length);
      const byte = bit >> 3;
      // A checksum of zero says that there is none, so its own bits do not all count.
      if (byte === 26 || byte === 27) return;
      bytes[byte] = (bytes[byte] ?? 0) ^ (1 << (bit & 7));
      assert.equal(decodeUdpPacket(bytes), undefined);
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => assert.equal(decodeUdpPacket(bytes), undefined)));
});

test('decodeUdpPacket takes a checksum that the sender left to the network card', () => {
  const packet = {
    src: parseAddr('10.1.0.1'),
    dst: parseAddr('10.1.0.5'),
    srcPort: 67,
    dstPort: 68,
    payload: hex('1 2 3'),
  };
  const bytes = encodeUdpPacket(packet);
  // Sum of addresses, protocol 17 and length 11.
  bytes.set([0x14, 0x24], 26);
  assert.deepEqual(decodeUdpPacket(bytes), packet);
  bytes.set([0x14, 0x25], 26);
  assert.equal(decodeUdpPacket(bytes), undefined);
  bytes.set([0, 0], 26);
  assert.deepEqual(decodeUdpPacket(bytes), packet);
});

test('readLease gives address, ways and times; classless routes take the place of all others', () => {
  const lease = readLease(
    answer([
      [OPTION.routers, routers('10.1.0.1', '10.1.0.2')],
      [OPTION['static-routes'], routers('192.168.7.0', '10.1.0.9')],
      [OPTION['domain-name-servers'], routers('10.1.0.53')],
      [OPTION['domain-name'], Uint8Array.from(Buffer.from('lan\0'))],
    ]),
  );
  assert.deepEqual(lease, {
    address: '10.1.0.5/24',
    server: '10.1.0.1',
    gateway: '10.1.0.1',
    routes: [
      { dst: '192.168.7.0/24', via: '10.1.0.9' },
      { dst: '0.0.0.0/0', via: '10.1.0.1' },
    ],
    nameservers: ['10.1.0.53'],
    domain: 'lan',
    search: [],
    times: { renew: 1800, rebind: 3150, seconds: 3600 },
  });
  const classless = encodeClasslessRoutes([{ dst: parsePrefix('10.2.0.0/16'), via: parseAddr('10.1.0.7') }]);
  const other = readLease(
    answer([
      [OPTION.routers, routers('10.1.0.1')],
      [121, classless],
    ]),
  );
  assert.deepEqual(typeof other === 'object' && other.routes, [{ dst: '10.2.0.0/16', via: '10.1.0.7' }]);
});

test('readLease takes the usual times where those of the server are out of order, and none for a lease without end', () => {
  const times = (more: [number, number][]) => {
    const lease = readLease(answer(more.map(([key, value]) => [key, uint32(value)])));
    return typeof lease === 'object' ? lease.times : lease;
  };
  assert.deepEqual(
    times([
      [58, 2],
      [59, 4],
      [51, 120],
    ]),
    { renew: 2, rebind: 4, seconds: 120 },
  );
  assert.deepEqual(
    times([
      [58, 100],
      [59, 4],
      [51, 120],
    ]),
    { renew: 60, rebind: 105, seconds: 120 },
  );
  assert.deepEqual(
    times([
      [58, 110],
      [51, 120],
    ]),
    { renew: 110, rebind: 110, seconds: 120 },
  );
  assert.equal(times([[51, 0xffffffff]]), undefined);
});

test('readLease says what an answer lacks', () => {
  const without = (key: number) => {
    const { options: all, ...rest } = answer();
    return readLease({ ...rest, options: new Map([...all].filter(([one]) => one !== key)) });
  };
  assert.equal(without(54), 'names no server');
  assert.equal(without(1), 'has no usable subnet mask');
  assert.equal(without(51), 'has no lease time');
  assert.match(String(readLease({ ...answer(), yiaddr: parseAddr('0.0.0.0') })), /0\.0\.0\.0, which is no address/);
});
