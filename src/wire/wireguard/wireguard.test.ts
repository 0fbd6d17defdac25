/** Messages are read as they were written, and bytes that are none are refused without harm. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addrFromBytes, parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixOf } from '#net/prefix.ts';
import { readFamily, writeFamilyQuery } from '#wire/netlink/generic.ts';
import { type Message, readMessages } from '#wire/netlink/reader.ts';
import { Writer } from '#wire/netlink/writer.ts';
import { joinDevice, peerMessages, readDevice, writeDevice, writePeerRemoval } from '#wire/wireguard/codec.ts';
import { publicKeyBytes, publicKeyFromBytes, readPublicKey } from '#wire/wireguard/key.ts';
import { printWireguardOp } from '#wire/wireguard/print.ts';
import type { WireguardOp, WireguardPeer } from '#wire/wireguard/values.ts';

const addr = fc.constantFrom(4, 16).chain((n) => fc.uint8Array({ minLength: n, maxLength: n }).map(addrFromBytes));
const prefix = addr.chain((a) => fc.nat(a.includes(':') ? 128 : 32).map((length) => prefixOf(a, length)));
const keyBytes = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => bytes.some((b) => b !== 0));
const publicKey = keyBytes.map(publicKeyFromBytes);
const endpoint = fc.record({ addr, port: fc.nat(0xffff) }, { noNullPrototype: true });
const peer: fc.Arbitrary<WireguardPeer> = fc.record(
  { publicKey, endpoint, keepalive: fc.nat(0xffff), allowedIps: fc.array(prefix, { maxLength: 20 }) },
  { requiredKeys: ['publicKey', 'keepalive', 'allowedIps'], noNullPrototype: true },
);

function messages(bodies: (writer: Writer) => readonly (() => void)[]): Message[] {
  const writer = new Writer(16);
  for (const body of bodies(writer)) writer.message(30, 5, 1, body);
  return readMessages(new DataView(writer.bytes.slice().buffer), writer.length);
}

test('readDevice reads a peer as it was written', () => {
  fc.assert(
    fc.property(peer, (wanted) => {
      const [message] = messages((writer) => peerMessages(writer, 'wg0', wanted));
      assert.ok(message);
      assert.deepEqual(readDevice(message), {
        name: 'wg0',
        port: 0,
        mark: 0,
        peers: [{ ...wanted, rxBytes: 0, txBytes: 0 }],
      });
    }),
  );
});

test('readDevice reads port and mark as they were written', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(0xffffffff), (port, mark) => {
      const [message] = messages((writer) => [() => writeDevice(writer, 'wg0', { port, mark })]);
      assert.ok(message);
      assert.deepEqual(readDevice(message), { name: 'wg0', port, mark, peers: [] });
    }),
  );
});

test('peerMessages parts what one message has no room for, and joinDevice joins it', () => {
  const allowedIps = Array.from({ length: 5000 }, (_, i) => parsePrefix(`10.${i >> 8}.${i & 255}.0/24`));
  const wanted = { publicKey: publicKeyFromBytes(new Uint8Array(32).fill(7)), keepalive: 0, allowedIps };
  const parts = messages((writer) => peerMessages(writer, 'wg0', wanted));
  assert.equal(parts.length, 5);
  assert.deepEqual(joinDevice(parts.map(readDevice))?.peers, [{ ...wanted, rxBytes: 0, txBytes: 0 }]);
});

test('joinDevice of nothing is nothing', () => {
  assert.equal(joinDevice([]), undefined);
});

test('readPublicKey takes 32 bytes in base64 and nothing else', () => {
  fc.assert(fc.property(keyBytes, (bytes) => assert.deepEqual(publicKeyBytes(publicKeyFromBytes(bytes)), bytes)));
  const whole = publicKeyFromBytes(new Uint8Array(32).fill(9));
  for (const text of ['', 'none', `${whole}=`, whole.slice(1), whole.replace('=', 'A'), `${whole.slice(0, 42)}B=`])
    assert.equal(readPublicKey(text), undefined, text);
  assert.throws(() => publicKeyFromBytes(new Uint8Array(31)), SyntaxError);
});

test('readFamily finds no family in a question', () => {
  const [message] = messages((writer) => [() => writeFamilyQuery(writer, 'wireguard')]);
  assert.ok(message);
  assert.equal(readFamily(message), undefined);
});

test('readers of spoiled or random messages return or throw a SyntaxError', () => {
  const spoiled = fc.tuple(peer, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 5 }), fc.nat(200));
  const read = (bytes: Uint8Array): void => {
    try {
      for (const message of readMessages(new DataView(bytes.buffer), bytes.length)) {
        readFamily(message);
        readDevice(message);
      }
    } catch (error) {
      assert.ok(error instanceof SyntaxError, String(error));
    }
  };
  fc.assert(
    fc.property(spoiled, ([wanted, changes, cut]) => {
      const writer = new Writer();
      for (const body of peerMessages(writer, 'wg0', wanted)) writer.message(30, 5, 1, body);
      const bytes = writer.bytes.slice(0, Math.max(0, writer.length - cut));
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      read(bytes);
    }),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), read));
});

const KEY = publicKeyFromBytes(new Uint8Array(32).fill(1));
const LINES = {
  'wg.set': [
    { op: 'wg.set', device: 'wg0', publicKey: KEY, port: 51820, mark: 0x100000 },
    'wg set wg0 private-key FILE listen-port 51820 fwmark 0x100000',
  ],
  'wg.peer': [
    {
      op: 'wg.peer',
      device: 'wg0',
      peer: {
        publicKey: KEY,
        endpoint: { addr: parseAddr('fd00::2'), port: 51820 },
        keepalive: 25,
        allowedIps: [parsePrefix('10.244.1.0/26'), parsePrefix('fd00:1::/122')],
      },
    },
    `wg set wg0 peer ${KEY} endpoint [fd00::2]:51820 persistent-keepalive 25 allowed-ips 10.244.1.0/26,fd00:1::/122`,
  ],
  'wg.remove': [{ op: 'wg.remove', device: 'wg0', publicKey: KEY }, `wg set wg0 peer ${KEY} remove`],
} as const satisfies Record<WireguardOp['op'], readonly [WireguardOp, string]>;

for (const [kind, [op, line]] of Object.entries(LINES)) {
  test(`${kind} prints as the line that does the same`, () => assert.equal(printWireguardOp(op), line));
}

test('a removal says the peer and nothing more of it', () => {
  const [message] = messages((writer) => [() => writePeerRemoval(writer, 'wg0', KEY)]);
  assert.ok(message);
  assert.deepEqual(readDevice(message).peers, [
    { publicKey: KEY, keepalive: 0, allowedIps: [], rxBytes: 0, txBytes: 0 },
  ]);
});
