/**
 * Client identifiers, option 61 (RFC 2132 §9.14, RFC 4361 §6.1): by them a server knows a client, not by its hardware
 * address. Three kinds are in use; the first byte tells them apart.
 */

export type ClientId =
  /** Type 0: a name, which people can read in the server's list of leases. */
  | { readonly kind: 'name'; readonly name: string }
  /** A hardware type and address, as clients sent it before RFC 4361. */
  | { readonly kind: 'hardware'; readonly type: number; readonly address: Uint8Array }
  /** Type 255: which of the host's interfaces (32 bits), and the host's DUID as DHCPv6 has it. */
  | { readonly kind: 'duid'; readonly iaid: number; readonly duid: Uint8Array };

const NAME = 0;
const DUID = 255;
/** DUID-UUID (RFC 6355 §4). */
const DUID_UUID = 4;

export function encodeClientId(id: ClientId): Uint8Array {
  switch (id.kind) {
    case 'name':
      return Uint8Array.of(NAME, ...new TextEncoder().encode(id.name));
    case 'hardware':
      return Uint8Array.of(id.type, ...id.address);
    case 'duid': {
      const bytes = Uint8Array.of(DUID, 0, 0, 0, 0, ...id.duid);
      new DataView(bytes.buffer).setUint32(1, id.iaid);
      return bytes;
    }
  }
}

/** Undefined for what is too short to be one (RFC 2132: two bytes). */
export function decodeClientId(bytes: Uint8Array): ClientId | undefined {
  const type = bytes[0];
  if (type === undefined || bytes.length < 2) return undefined;
  if (type === NAME) return { kind: 'name', name: new TextDecoder().decode(bytes.subarray(1)) };
  if (type !== DUID) return { kind: 'hardware', type, address: bytes.slice(1) };
  if (bytes.length < 7) return undefined;
  const iaid = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  return { kind: 'duid', iaid, duid: bytes.slice(5) };
}

/** @param uuid 16 bytes */
export function duidOfUuid(uuid: Uint8Array): Uint8Array {
  if (uuid.length !== 16) throw new RangeError(`Cannot make a DUID of ${uuid.length} bytes: a UUID has 16`);
  return Uint8Array.of(0, DUID_UUID, ...uuid);
}
