import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyPairOf, loadKeyPair, makeKeyPair, saveKeyPair } from '#kernel/wireguard/keys.ts';

function folder(): { readonly file: string } & Disposable {
  const dir = mkdtempSync(join(tmpdir(), 'polder-keys-'));
  return { file: join(dir, 'deep', 'wireguard.key'), [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

test('keyPairOf finds the public key of RFC 7748 §5.2: the scalar 9, after one iteration', () => {
  const { publicKey } = keyPairOf(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0)));
  const expected = '422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079';
  assert.equal(Buffer.from(publicKey, 'base64').toString('hex'), expected);
});

test('loadKeyPair makes a pair once and keeps it, readable by its owner alone', () => {
  using dir = folder();
  const first = loadKeyPair(dir.file);
  assert.deepEqual(loadKeyPair(dir.file), first);
  assert.equal(statSync(dir.file).mode & 0o777, 0o600);
  assert.equal(readFileSync(dir.file, 'utf8').trim(), Buffer.from(first.privateKey).toString('base64'));
});

test('saveKeyPair takes the place of the pair, with its own mode', () => {
  using dir = folder();
  const first = loadKeyPair(dir.file);
  writeFileSync(`${dir.file}.new`, 'left by a kill', { mode: 0o644 });
  const second = saveKeyPair(dir.file, makeKeyPair());
  assert.notEqual(second.publicKey, first.publicKey);
  assert.deepEqual(loadKeyPair(dir.file), second);
  assert.equal(statSync(dir.file).mode & 0o777, 0o600);
});

test('loadKeyPair says what is wrong with a file that holds no key', () => {
  using dir = folder();
  loadKeyPair(dir.file);
  writeFileSync(dir.file, 'no key\n');
  assert.throws(() => loadKeyPair(dir.file), /holds no 32 bytes in base64; remove it/);
});
