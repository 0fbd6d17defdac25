import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { localMac, macBytes, macFromBytes, parseMac, readMac } from '#net/mac.ts';

const six = fc.uint8Array({ minLength: 6, maxLength: 6 });

test('macFromBytes and macBytes undo each other', () => {
  fc.assert(fc.property(six, (b) => assert.deepEqual(macBytes(macFromBytes(b)), Uint8Array.from(b))));
});

test('localMac is unicast and locally administered whatever it is made of', () => {
  fc.assert(fc.property(six, (b) => assert.equal((macBytes(localMac(b))[0] ?? 0) & 3, 2)));
});

test('readMac takes upper case, hyphens and dots, and refuses anything else', () => {
  assert.equal(readMac('EE:EE:EE:EE:EE:EE'), 'ee:ee:ee:ee:ee:ee');
  for (const text of ['02-42-AC-11-00-02', '0242.ac11.0002']) assert.equal(readMac(text), '02:42:ac:11:00:02');
  for (const text of [
    '',
    'ee-ee-ee:ee-ee-ee',
    'eeee.eeee-eeee',
    'eeeeeeeeeeee',
    'ee:ee:ee:ee:ee',
    'ee:ee:ee:ee:ee:e',
    'gg:ee:ee:ee:ee:ee',
  ])
    assert.equal(readMac(text), undefined);
  assert.throws(() => parseMac('x'), SyntaxError);
});
