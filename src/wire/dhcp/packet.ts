/** The IPv4 and UDP headers around a DHCP message, for whoever has no address yet (RFC 791, RFC 768; RFC 2131 §4.1). */

import { type Addr, addrBytes, addrFromBytes } from '#net/addr.ts';

export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;

const IP_HEADER = 20;
const UDP_HEADER = 8;
const UDP = 17;
const TTL = 64;

export interface Endpoints {
  readonly src: Addr;
  readonly dst: Addr;
  readonly srcPort: number;
  readonly dstPort: number;
}

export interface UdpPacket extends Endpoints {
  readonly payload: Uint8Array;
}

export function encodeUdpPacket({ src, dst, srcPort, dstPort, payload }: UdpPacket): Uint8Array {
  const bytes = new Uint8Array(IP_HEADER + UDP_HEADER + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x45, 0]);
  view.setUint16(2, bytes.length);
  bytes.set([TTL, UDP], 8);
  bytes.set(addrBytes(src), 12);
  bytes.set(addrBytes(dst), 16);
  view.setUint16(10, ~sum(bytes.subarray(0, IP_HEADER)) & 0xffff);
  view.setUint16(20, srcPort);
  view.setUint16(22, dstPort);
  view.setUint16(24, UDP_HEADER + payload.length);
  bytes.set(payload, IP_HEADER + UDP_HEADER);
  const check = ~sum(bytes.subarray(IP_HEADER), pseudo(bytes.subarray(0, IP_HEADER), UDP_HEADER + payload.length));
  // Zero would say that there is none.
  view.setUint16(26, check & 0xffff || 0xffff);
  return bytes;
}

/** Undefined for anything but a whole, intact UDP packet. @param bytes from the IP header on */
export function decodeUdpPacket(bytes: Uint8Array): UdpPacket | undefined {
  if (bytes.length < IP_HEADER + UDP_HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = (view.getUint8(0) & 15) * 4;
  const total = view.getUint16(2);
  const fragment = (view.getUint16(6) & 0x3fff) !== 0;
  const fits = header >= IP_HEADER && total >= header + UDP_HEADER && total <= bytes.length;
  if (view.getUint8(0) >> 4 !== 4 || !fits || fragment || view.getUint8(9) !== UDP) return undefined;
  if (sum(bytes.subarray(0, header)) !== 0xffff) return undefined;
  const length = view.getUint16(header + 4);
  if (length < UDP_HEADER || header + length > total) return undefined;
  const datagram = bytes.subarray(header, header + length);
  if (!intact(datagram, pseudo(bytes, length))) return undefined;
  return {
    src: addrFromBytes(bytes.subarray(12, 16)),
    dst: addrFromBytes(bytes.subarray(16, 20)),
    srcPort: view.getUint16(header),
    dstPort: view.getUint16(header + 2),
    payload: datagram.slice(UDP_HEADER),
  };
}

/**
 * The sum is right, or there is none, or it is only that of the pseudo-header: a sender of the same machine leaves the
 * rest to a network card that the packet never meets (CHECKSUM_PARTIAL of linux/skbuff.h).
 */
function intact(datagram: Uint8Array, base: number): boolean {
  const said = ((datagram[6] ?? 0) << 8) | (datagram[7] ?? 0);
  return said === 0 || said === base || sum(datagram, base) === 0xffff;
}

/** Addresses, protocol and length of the UDP datagram, which its checksum covers too. */
function pseudo(ipHeader: Uint8Array, length: number): number {
  return sum(ipHeader.subarray(12, 20), UDP + length);
}

/** Ones' complement sum of 16-bit words (RFC 1071). */
function sum(bytes: Uint8Array, start = 0): number {
  let total = start;
  for (let i = 0; i < bytes.length; i += 2) total += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}
