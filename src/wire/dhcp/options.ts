/** Options by code and name, and readers of their values (RFC 2132, RFC 3442, RFC 3397). A value that is none is undefined. */

import { type Addr, addrBytes, addrFromBytes } from '#net/addr.ts';
import { lengthOf, type Prefix, prefixOf } from '#net/prefix.ts';
import type { DhcpMessage } from '#wire/dhcp/message.ts';

/** Names as of dhcp-options(5), which configurations of the reference plugin and of dhclient use. */
export const OPTION = {
  'subnet-mask': 1,
  'time-offset': 2,
  routers: 3,
  'time-servers': 4,
  'domain-name-servers': 6,
  'log-servers': 7,
  'host-name': 12,
  'domain-name': 15,
  'interface-mtu': 26,
  'broadcast-address': 28,
  'static-routes': 33,
  'nis-domain': 40,
  'nis-servers': 41,
  'ntp-servers': 42,
  'vendor-encapsulated-options': 43,
  'dhcp-requested-address': 50,
  'dhcp-lease-time': 51,
  'dhcp-message-type': 53,
  'dhcp-server-identifier': 54,
  'dhcp-parameter-request-list': 55,
  'dhcp-message': 56,
  'dhcp-max-message-size': 57,
  'dhcp-renewal-time': 58,
  'dhcp-rebinding-time': 59,
  'vendor-class-identifier': 60,
  'dhcp-client-identifier': 61,
  'tftp-server-name': 66,
  'bootfile-name': 67,
  'user-class': 77,
  'domain-search': 119,
  'rfc3442-classless-static-routes': 121,
} as const;

export type OptionName = keyof typeof OPTION;

/** Code of an option that is given by its name or by its number, 1 to 254. */
export function optionCode(text: string): number | undefined {
  if (Object.hasOwn(OPTION, text)) return OPTION[text as OptionName];
  const code = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  return code >= 1 && code <= 254 ? code : undefined;
}

/** Values of option 53. */
export const MESSAGE_TYPE = { DISCOVER: 1, OFFER: 2, REQUEST: 3, DECLINE: 4, ACK: 5, NAK: 6, RELEASE: 7 } as const;
export type MessageType = keyof typeof MESSAGE_TYPE;

export function messageType({ options }: DhcpMessage): MessageType | undefined {
  const value = options.get(OPTION['dhcp-message-type']);
  const types = Object.keys(MESSAGE_TYPE) as MessageType[];
  return value?.length === 1 ? types.find((type) => MESSAGE_TYPE[type] === value[0]) : undefined;
}

export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export function readUint32(value: Uint8Array | undefined): number | undefined {
  if (value?.length !== 4) return undefined;
  return new DataView(value.buffer, value.byteOffset, 4).getUint32(0);
}

export function readAddrs(value: Uint8Array | undefined): Addr[] | undefined {
  if (!value || value.length === 0 || value.length % 4 !== 0) return undefined;
  return Array.from({ length: value.length / 4 }, (_, i) => addrFromBytes(value.subarray(4 * i, 4 * i + 4)));
}

/** The first, or the only one. */
export function readAddrOption(value: Uint8Array | undefined): Addr | undefined {
  return readAddrs(value)?.[0];
}

/** Text for people and names; what ends it (NUL) is left out, as some servers send it. */
export function readText(value: Uint8Array | undefined): string | undefined {
  const text = value && new TextDecoder().decode(value).replace(/\0+$/, '');
  return text === '' ? undefined : text;
}

/** Bits of a network mask whose ones come before its zeros. */
export function readMask(value: Uint8Array | undefined): number | undefined {
  const mask = readUint32(value);
  if (mask === undefined) return undefined;
  const length = mask.toString(2).padStart(32, '0').lastIndexOf('1') + 1;
  const straight = length === 0 ? 0 : (2 ** 32 - 2 ** (32 - length)) >>> 0;
  return straight === mask ? length : undefined;
}

export interface DhcpRoute {
  readonly dst: Prefix;
  /** Absent: the destination is on the link itself (RFC 3442, router 0.0.0.0). */
  readonly via?: Addr;
}

const ON_LINK = '0.0.0.0';

function routeOf(dst: Prefix, via: Addr): DhcpRoute {
  return via === ON_LINK ? { dst } : { dst, via };
}

/** Option 121: length of the network, as many of its bytes as count, router (RFC 3442). */
export function readClasslessRoutes(value: Uint8Array | undefined): DhcpRoute[] | undefined {
  if (!value || value.length === 0) return undefined;
  const routes: DhcpRoute[] = [];
  for (let at = 0; at < value.length; ) {
    const length = value[at++] ?? 255;
    const count = Math.ceil(length / 8);
    if (length > 32 || at + count + 4 > value.length) return undefined;
    const net = new Uint8Array(4);
    net.set(value.subarray(at, at + count));
    const via = addrFromBytes(value.subarray(at + count, at + count + 4));
    routes.push(routeOf(prefixOf(addrFromBytes(net), length), via));
    at += count + 4;
  }
  return routes;
}

export function encodeClasslessRoutes(routes: readonly DhcpRoute[]): Uint8Array {
  return Uint8Array.from(
    routes.flatMap(({ dst, via }) => {
      const length = lengthOf(dst);
      const net = prefixBytes(dst).subarray(0, Math.ceil(length / 8));
      return [length, ...net, ...(via ? addrBytes(via) : [0, 0, 0, 0])];
    }),
  );
}

function prefixBytes(dst: Prefix): Uint8Array {
  const [addr = ON_LINK] = dst.split('/');
  return Uint8Array.from(addr.split('.'), Number);
}

/** Option 33: destination and router, the destination's network by its class (RFC 2132 §5.8); 0.0.0.0 is not allowed. */
export function readStaticRoutes(value: Uint8Array | undefined): DhcpRoute[] | undefined {
  const addrs = readAddrs(value);
  if (!addrs || addrs.length % 2 !== 0) return undefined;
  const pairs = Array.from({ length: addrs.length / 2 }, (_, i) => [addrs[2 * i], addrs[2 * i + 1]] as const);
  return pairs.flatMap(([dst, via]) =>
    dst === undefined || via === undefined || dst === ON_LINK ? [] : [routeOf(classful(dst), via)],
  );
}

/** A destination with host bits is a host (RFC 2132 leaves it open; dhclient and systemd take it so). */
function classful(dst: Addr): Prefix {
  const first = addrBytes(dst)[0] ?? 0;
  const length = first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
  const net = prefixOf(dst, length);
  return net.startsWith(`${dst}/`) ? net : prefixOf(dst, 32);
}

/** At most so many names: pointers could lead round in circles (RFC 1035 §4.1.4). */
const MOST_LABELS = 127;

/** Option 119: names as of DNS, with pointers back into the option (RFC 3397 §2). */
export function readDomainSearch(value: Uint8Array | undefined): string[] | undefined {
  if (!value || value.length === 0) return undefined;
  const names: string[] = [];
  for (let at = 0; at < value.length; ) {
    const name = readName(value, at);
    if (!name) return undefined;
    if (name.labels.length > 0) names.push(name.labels.join('.'));
    at = name.next;
  }
  return names;
}

function readName(value: Uint8Array, start: number): { labels: string[]; next: number } | undefined {
  const labels: string[] = [];
  let next: number | undefined;
  let at = start;
  while (labels.length <= MOST_LABELS) {
    const length = value[at++];
    if (length === undefined) return undefined;
    if (length === 0) return { labels, next: next ?? at };
    if (length >= 0xc0) {
      const low = value[at++];
      const to = ((length & 0x3f) << 8) | (low ?? 0);
      // Only backwards, so that it comes to an end.
      if (low === undefined || to >= at - 2) return undefined;
      next ??= at;
      at = to;
      continue;
    }
    if (length > 63 || at + length > value.length) return undefined;
    labels.push(new TextDecoder().decode(value.subarray(at, at + length)));
    at += length;
  }
  return undefined;
}
