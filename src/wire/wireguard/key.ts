/** Keys: 32 bytes (X25519, RFC 7748), and their text. */

import type { PublicKey } from '#wire/wireguard/values.ts';

export const KEY_BYTES = 32;
const TEXT = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** Undefined if the text is no key. */
export function readPublicKey(text: string): PublicKey | undefined {
  return TEXT.test(text) ? (text as PublicKey) : undefined;
}

/** @throws SyntaxError */
export function publicKeyFromBytes(bytes: Uint8Array): PublicKey {
  const key = bytes.length === KEY_BYTES ? readPublicKey(btoa(String.fromCharCode(...bytes))) : undefined;
  if (key === undefined)
    throw new SyntaxError(`Cannot read a WireGuard key of ${bytes.length} bytes: ${KEY_BYTES} are needed`);
  return key;
}

export function publicKeyBytes(key: PublicKey): Uint8Array {
  return Uint8Array.from(atob(key), (letter) => letter.charCodeAt(0));
}
