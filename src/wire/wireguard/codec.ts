/** Messages of the generic netlink family `wireguard`. Source: linux/wireguard.h. */

import { addrBytes, addrFromBytes, familyOf } from '#net/addr.ts';
import { addrOf, lengthOf, type Prefix, prefixOf } from '#net/prefix.ts';
import { AF_INET, AF_INET6 } from '#wire/netlink/constants.ts';
import { addressFamily, familyOfNumber, readAddress } from '#wire/netlink/family.ts';
import { readGeneric, writeGenericHeader } from '#wire/netlink/generic.ts';
import { Attrs, eachAttr, malformed, type Span } from '#wire/netlink/reader.ts';
import type { Writer } from '#wire/netlink/writer.ts';
import { KEY_BYTES, publicKeyBytes, publicKeyFromBytes } from '#wire/wireguard/key.ts';
import type { Endpoint, PeerReport, PublicKey, WireguardDevice, WireguardPeer } from '#wire/wireguard/values.ts';

export const WG_FAMILY = 'wireguard';
const WG_VERSION = 1;
const WG_CMD_GET_DEVICE = 0;
const WG_CMD_SET_DEVICE = 1;
const WGDEVICE_A = { ifname: 2, privateKey: 3, publicKey: 4, port: 6, mark: 7, peers: 8 } as const;
const WGPEER_A = {
  publicKey: 1,
  flags: 3,
  endpoint: 4,
  keepalive: 5,
  lastHandshake: 6,
  rxBytes: 7,
  txBytes: 8,
  allowedIps: 9,
} as const;
const WGPEER_F_REMOVE_ME = 1;
const WGPEER_F_REPLACE_ALLOWEDIPS = 2;
const WGALLOWEDIP_A = { family: 1, addr: 2, length: 3 } as const;

/** Body of a dump of one device: its peers may come in several messages, see `joinDevice`. */
export function writeDeviceQuery(writer: Writer, name: string): void {
  writeGenericHeader(writer, WG_CMD_GET_DEVICE, WG_VERSION);
  writer.attrText(WGDEVICE_A.ifname, name);
}

/** Body of a change of the device itself. `privateKey` is 32 bytes. */
export function writeDevice(
  writer: Writer,
  name: string,
  wish: { readonly privateKey?: Uint8Array; readonly port?: number; readonly mark?: number },
): void {
  writeGenericHeader(writer, WG_CMD_SET_DEVICE, WG_VERSION);
  writer.attrText(WGDEVICE_A.ifname, name);
  if (wish.privateKey) writer.attrBytes(WGDEVICE_A.privateKey, wish.privateKey);
  if (wish.port !== undefined) writer.attrU16(WGDEVICE_A.port, wish.port);
  if (wish.mark !== undefined) writer.attrU32(WGDEVICE_A.mark, wish.mark);
}

/** Allowed networks that one message has room for: the attribute of all peers is at most 65 535 bytes long. */
const MOST_ALLOWED = 1024;

/** Bodies of the messages, to be sent in order, that make a peer so. */
export function peerMessages(writer: Writer, device: string, peer: WireguardPeer): (() => void)[] {
  const bodies: (() => void)[] = [];
  for (let at = 0; at === 0 || at < peer.allowedIps.length; at += MOST_ALLOWED) {
    const part = peer.allowedIps.slice(at, at + MOST_ALLOWED);
    bodies.push(() => writePeerPart(writer, device, { ...peer, allowedIps: part }, at === 0));
  }
  return bodies;
}

/** `first`: what the peer was allowed before is forgotten. */
function writePeerPart(writer: Writer, device: string, peer: WireguardPeer, first: boolean): void {
  writeOnePeer(writer, device, peer.publicKey, first ? WGPEER_F_REPLACE_ALLOWEDIPS : 0, () => {
    const { endpoint } = peer;
    if (endpoint) writer.attr(WGPEER_A.endpoint, () => writeEndpoint(writer, endpoint));
    writer.attrU16(WGPEER_A.keepalive, peer.keepalive);
    writer.nest(WGPEER_A.allowedIps, () => {
      for (const network of peer.allowedIps) writer.nest(0, () => writeAllowed(writer, network));
    });
  });
}

/** Body of a peer's removal. */
export function writePeerRemoval(writer: Writer, device: string, publicKey: PublicKey): void {
  writeOnePeer(writer, device, publicKey, WGPEER_F_REMOVE_ME, () => {});
}

function writeOnePeer(writer: Writer, device: string, key: PublicKey, flags: number, rest: () => void): void {
  writeDevice(writer, device, {});
  writer.nest(WGDEVICE_A.peers, () => {
    writer.nest(0, () => {
      writer.attrBytes(WGPEER_A.publicKey, publicKeyBytes(key));
      writer.attrU32(WGPEER_A.flags, flags);
      rest();
    });
  });
}

/** `struct sockaddr_in` (16 bytes) or `sockaddr_in6` (28). */
function writeEndpoint(writer: Writer, { addr, port }: Endpoint): void {
  writer.u16(addressFamily(addr));
  writer.raw(Uint8Array.of(port >> 8, port & 0xff));
  if (familyOf(addr) === 6) writer.u32(0);
  writer.raw(addrBytes(addr));
  // Padding of the one, the scope of the other.
  writer.raw(new Uint8Array(familyOf(addr) === 4 ? 8 : 4));
}

function writeAllowed(writer: Writer, network: Prefix): void {
  writer.attrU16(WGALLOWEDIP_A.family, addressFamily(addrOf(network)));
  writer.attrBytes(WGALLOWEDIP_A.addr, addrBytes(addrOf(network)));
  writer.attrU8(WGALLOWEDIP_A.length, lengthOf(network));
}

/** One message of a dump. @throws SyntaxError */
export function readDevice(body: Span): WireguardDevice {
  const attrs = readGeneric(body);
  const key = attrs.bytes(WGDEVICE_A.publicKey);
  const peers = attrs.span(WGDEVICE_A.peers);
  return {
    name: attrs.text(WGDEVICE_A.ifname) ?? '',
    ...(isKey(key) ? { publicKey: publicKeyFromBytes(key) } : {}),
    port: attrs.u16(WGDEVICE_A.port) ?? 0,
    mark: attrs.u32(WGDEVICE_A.mark) ?? 0,
    peers: peers ? eachAttr(peers).map(({ payload }) => readPeer(payload)) : [],
  };
}

/** All zero stands for none. */
function isKey(bytes: Uint8Array | undefined): bytes is Uint8Array {
  return bytes?.length === KEY_BYTES && bytes.some((byte) => byte !== 0);
}

function readPeer({ view, start, end }: Span): PeerReport {
  const attrs = new Attrs(view, start, end);
  const endpoint = attrs.span(WGPEER_A.endpoint);
  const allowed = attrs.span(WGPEER_A.allowedIps);
  const at = endpoint && readEndpoint(endpoint);
  const handshake = attrs.span(WGPEER_A.lastHandshake);
  const lastHandshake = handshake && readTime(handshake);
  return {
    publicKey: publicKeyFromBytes(attrs.bytes(WGPEER_A.publicKey) ?? new Uint8Array()),
    ...(at ? { endpoint: at } : {}),
    keepalive: attrs.u16(WGPEER_A.keepalive) ?? 0,
    allowedIps: allowed ? eachAttr(allowed).map(({ payload }) => readAllowed(payload)) : [],
    ...(lastHandshake ? { lastHandshake } : {}),
    rxBytes: attrs.u64(WGPEER_A.rxBytes) ?? 0,
    txBytes: attrs.u64(WGPEER_A.txBytes) ?? 0,
  };
}

/** Undefined for a family that is not IP, which the kernel says of a peer that has never called. */
function readEndpoint({ view, start, end }: Span): Endpoint | undefined {
  const family = end - start >= 2 ? view.getUint16(start, true) : 0;
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const [from, length, whole] = family === AF_INET ? [4, 4, 16] : [8, 16, 28];
  if (end - start < whole) throw malformed(`socket address of ${end - start} bytes`);
  const bytes = new Uint8Array(view.buffer, view.byteOffset + start + from, length);
  return { addr: addrFromBytes(bytes), port: view.getUint16(start + 2) };
}

/** `struct __kernel_timespec`; ms, 0 for never. */
function readTime({ view, start, end }: Span): number {
  if (end - start < 16) throw malformed(`time of ${end - start} bytes`);
  return Number(view.getBigInt64(start, true)) * 1000 + Math.trunc(Number(view.getBigInt64(start + 8, true)) / 1e6);
}

function readAllowed({ view, start, end }: Span): Prefix {
  const attrs = new Attrs(view, start, end);
  const family = familyOfNumber(attrs.u16(WGALLOWEDIP_A.family) ?? 0);
  const addr = readAddress(attrs.bytes(WGALLOWEDIP_A.addr));
  const length = attrs.u8(WGALLOWEDIP_A.length) ?? -1;
  if (
    family === undefined ||
    addr === undefined ||
    familyOf(addr) !== family ||
    length < 0 ||
    length > 32 * (family === 4 ? 1 : 4)
  )
    throw malformed('allowed network');
  return prefixOf(addr, length);
}

/** The messages of one dump as one device: a peer that the last message broke off goes on in the next. Undefined of none. */
export function joinDevice(parts: readonly WireguardDevice[]): WireguardDevice | undefined {
  const [first, ...more] = parts;
  if (!first) return undefined;
  const peers = [...first.peers];
  for (const part of more) {
    for (const peer of part.peers) {
      const last = peers.at(-1);
      if (last?.publicKey !== peer.publicKey) peers.push(peer);
      else peers[peers.length - 1] = { ...last, allowedIps: [...last.allowedIps, ...peer.allowedIps] };
    }
  }
  return { ...first, peers };
}
