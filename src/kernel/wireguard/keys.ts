/** This node's pair of WireGuard keys (X25519, RFC 7748), kept in a file that only root reads. */

import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { KEY_BYTES, publicKeyFromBytes } from '#wire/wireguard/key.ts';
import type { PublicKey } from '#wire/wireguard/values.ts';

export interface KeyPair {
  readonly publicKey: PublicKey;
  /** 32 bytes. */
  readonly privateKey: Uint8Array;
}

/** The head of every X25519 private key in PKCS #8 (RFC 8410); the key's 32 bytes follow. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');

export function makeKeyPair(): KeyPair {
  const { privateKey } = generateKeyPairSync('x25519');
  return keyPairOf(privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_HEAD.length));
}

/** @throws RangeError unless there are 32 bytes. */
export function keyPairOf(privateKey: Uint8Array): KeyPair {
  if (privateKey.length !== KEY_BYTES)
    throw new RangeError(`Cannot use a WireGuard key of ${privateKey.length} bytes: ${KEY_BYTES} are needed`);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, privateKey]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { publicKey: publicKeyFromBytes(spki.subarray(-KEY_BYTES)), privateKey: Uint8Array.from(privateKey) };
}

/**
 * The pair in the file; made if there is none. The file holds what `wg genkey` prints, mode 0600, and is written beside
 * and renamed: a kill leaves the old pair or the new one. @throws Error if the file cannot be read or holds no key.
 */
export function loadKeyPair(file: string): KeyPair {
  if (!existsSync(file)) return saveKeyPair(file, makeKeyPair());
  const bytes = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
  if (bytes.length === KEY_BYTES) return keyPairOf(bytes);
  throw new Error(
    `Cannot read the WireGuard key in ${file}: it holds no 32 bytes in base64; remove it to get a new one`,
  );
}

/** Takes the place of the pair in the file. */
export function saveKeyPair(file: string, pair: KeyPair): KeyPair {
  mkdirSync(dirname(file), { recursive: true });
  const beside = `${file}.new`;
  // A file that is there keeps its mode, which may be another's.
  rmSync(beside, { force: true });
  writeFileSync(beside, `${Buffer.from(pair.privateKey).toString('base64')}\n`, { mode: 0o600, flush: true });
  renameSync(beside, file);
  return pair;
}
