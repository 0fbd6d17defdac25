import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyPairOf } from '#kernel/wireguard/keys.ts';
import { NodeKeys } from '#serve/agent/node-keys.ts';

function folder(): { readonly dir: string } & Disposable {
  const dir = mkdtempSync(join(tmpdir(), 'polder-node-keys-'));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

test('NodeKeys keeps a pair a family over restarts, in files of root alone', () => {
  using place = folder();
  const keys = new NodeKeys(place.dir);
  const four = keys.publicKey(4);
  assert.notEqual(four, keys.publicKey(6));
  assert.deepEqual(readdirSync(place.dir).sort(), ['wireguard-v6.key', 'wireguard.key']);
  for (const file of readdirSync(place.dir)) assert.equal(statSync(join(place.dir, file)).mode & 0o777, 0o600);
  assert.equal(new NodeKeys(place.dir).publicKey(4), four);
});

test('NodeKeys knows the private key of its own public ones only', () => {
  using place = folder();
  const keys = new NodeKeys(place.dir);
  const four = keys.publicKey(4);
  assert.equal(keyPairOf(keys.privateKey(four) ?? assert.fail('no key')).publicKey, four);
  assert.equal(keys.privateKey(keyPairOf(new Uint8Array(32).fill(5)).publicKey), undefined);
});

test('NodeKeys rotates what there is, and keeps that', () => {
  using place = folder();
  const keys = new NodeKeys(place.dir);
  assert.equal(keys.rotate(), 0);
  const before = keys.publicKey(4);
  assert.equal(keys.rotate(), 1);
  assert.notEqual(keys.publicKey(4), before);
  assert.equal(keys.privateKey(before), undefined);
  assert.equal(new NodeKeys(place.dir).publicKey(4), keys.publicKey(4));
});
