import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addrFromBytes, type Family, parseAddr } from '#net/addr.ts';
import { CT_DELETE, readConnection, writeConnection } from '#wire/conntrack/codec.ts';
import { fits, printDeletion } from '#wire/conntrack/filter.ts';
import { type Connection, IPPROTO_UDP, type Tuple } from '#wire/conntrack/values.ts';
import { type Message, readMessages } from '#wire/netlink/reader.ts';
import { Writer } from '#wire/netlink/writer.ts';

const PLAIN = { noNullPrototype: true } as const;
const u8 = fc.nat(255);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const addr = (family: Family) => {
  const length = family === 4 ? 4 : 16;
  return fc.uint8Array({ minLength: length, maxLength: length }).map(addrFromBytes);
};
const ports = fc.record({ sourcePort: u16, destinationPort: u16 }, PLAIN);
const icmp = fc.record({ icmp: fc.record({ id: u16, type: u8, code: u8 }, PLAIN) }, PLAIN);
const tuple = (family: Family): fc.Arbitrary<Tuple> =>
  fc
    .tuple(u8, addr(family), addr(family), fc.oneof(ports, icmp, fc.constant({})))
    .map(([protocol, source, destination, more]) => ({ protocol, source, destination, ...more }));
const connection: fc.Arbitrary<Connection> = fc
  .constantFrom<Family>(4, 6)
  .chain((family) =>
    fc.record(
      { original: tuple(family), reply: tuple(family), id: u32, mark: u32, zone: u16 },
      { requiredKeys: ['original', 'reply', 'id'], ...PLAIN },
    ),
  ) as fc.Arbitrary<Connection>;

function written(value: Connection): Message {
  const writer = new Writer(16);
  writer.message(CT_DELETE, 0, 1, () => writeConnection(writer, value));
  const [message] = readMessages(new DataView(writer.bytes.slice().buffer), writer.length);
  assert.ok(message);
  return message;
}

test('a connection is read back as it was written', () => {
  fc.assert(fc.property(connection, (value) => assert.deepEqual(readConnection(written(value)), value)));
});

test('readConnection of bytes that are cut off or spoiled returns or throws a SyntaxError', () => {
  const spoiled = fc.tuple(connection, fc.array(fc.tuple(fc.nat(250), u8), { maxLength: 4 }), fc.nat(200));
  fc.assert(
    fc.property(spoiled, ([value, changes, cut]) => {
      const { view, start, end } = written(value);
      for (const [at, byte] of changes) if (start + at < end) view.setUint8(start + at, byte);
      try {
        readConnection({ view, start, end: Math.max(start, end - cut) });
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }),
  );
});

test('fits wants all that is said, and the line says the same', () => {
  const to = (destination: string, port: number) => ({
    protocol: IPPROTO_UDP,
    source: parseAddr('192.0.2.1'),
    destination: parseAddr(destination),
    sourcePort: 4000,
    destinationPort: port,
  });
  const reply = { ...to('192.0.2.1', 4000), source: parseAddr('10.0.0.2'), sourcePort: 53 };
  const value: Connection = { original: to('192.0.2.9', 5353), reply, id: 1 };
  const filter = { protocol: IPPROTO_UDP, destination: parseAddr('192.0.2.9'), destinationPort: 5353 };
  assert.ok(fits(value, {}));
  assert.ok(fits(value, filter));
  assert.ok(fits(value, { ...filter, replySource: parseAddr('10.0.0.2'), replySourcePort: 53 }));
  assert.ok(!fits(value, { ...filter, family: 6 }));
  assert.ok(!fits(value, { ...filter, destinationPort: 53 }));
  assert.equal(printDeletion(filter), 'conntrack -D -p 17 --orig-dst 192.0.2.9 --orig-port-dst 5353');
});
