import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addrBytes,
  addrFromBigInt,
  addrFromBytes,
  addrPlus,
  addrToBigInt,
  compareAddr,
  familyOf,
  parseAddr,
  readAddr,
} from '#net/addr.ts';

const bytes = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Runs of zeros are where spelling goes wrong.
  fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((a) => Uint8Array.from(a)),
);

test('readAddr gives back every address that addrFromBytes spells', () => {
  fc.assert(
    fc.property(bytes, (b) => {
      const addr = addrFromBytes(b);
      assert.equal(readAddr(addr), addr);
      assert.deepEqual(addrBytes(addr), Uint8Array.from(b));
      assert.equal(isIP(addr), familyOf(addr));
      assert.equal(addrFromBigInt(addrToBigInt(addr), familyOf(addr)), addr);
    }),
  );
});

test('addrFromBytes spells IPv6 as RFC 5952 does', () => {
  const spelled = {
    '2001:DB8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    '0:0:0:0:0:0:0:0': '::',
    '::FFFF:192.0.2.1': '::ffff:192.0.2.1',
    'fe80:0:0:0:0:0:0:1': 'fe80::1',
  };
  for (const [from, to] of Object.entries(spelled)) assert.equal(parseAddr(from), to);
});

test('readAddr refuses what only looks like an address', () => {
  for (const text of [
    '',
    '1..2.3',
    '0x10.0.0.1',
    '010.0.0.1',
    '1.2.3',
    '1.2.3.256',
    '1.2.3.4.5',
    ' 1.2.3.4',
    '1.2.3.4/8',
  ]) {
    assert.equal(readAddr(text), undefined, text);
  }
  for (const text of [
    ':',
    ':::',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    'fe80::1%eth0',
    '12345::',
    '1.2.3.4::',
  ]) {
    assert.equal(readAddr(text), undefined, text);
  }
});

test('readAddr agrees with the platform on any text', () => {
  const nearly = fc.array(fc.constantFrom('0', '1', 'f', '25', '255', ':', '::', '.', 'x', '%'), { maxLength: 14 });
  fc.assert(
    fc.property(nearly, (parts) =>
      assert.equal(readAddr(parts.join('')) !== undefined, isIP(parts.join('').replace('%', '!')) !== 0),
    ),
  );
});

test('addrPlus walks over octets and stops at the end of the family', () => {
  assert.equal(addrPlus(parseAddr('10.0.0.255'), 1), '10.0.1.0');
  assert.equal(addrPlus(parseAddr('fd00::'), -1), 'fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff');
  assert.throws(() => addrPlus(parseAddr('255.255.255.255'), 1), RangeError);
});

test('compareAddr orders by number, not by text', () => {
  const sorted = ['10.0.0.2', '10.0.0.10', '::1', 'fd00::'];
  assert.deepEqual([...sorted].reverse().map(parseAddr).sort(compareAddr), sorted);
});
