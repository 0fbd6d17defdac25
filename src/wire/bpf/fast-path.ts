/**
 * The fast path's two programs and the entries of their maps.
 *
 * A packet from a pod to another pod would go up into the node's stack, through routing, netfilter and the neighbour
 * table, and down again; each way costs as much as a whole veth hop. These programs stand at the interface where it
 * arrives (tc ingress) and hand it on at once: to a pod of this node into its end of the veth (bpf_redirect_peer), to
 * another node's network out of the interface that leads there (bpf_redirect_neigh). Whatever they do not know, and
 * what needs an answer (TTL at its end, too large), goes the ordinary way: TCX_NEXT.
 */

import { type Addr, addrBytes } from '#net/addr.ts';
import { type Mac, macBytes } from '#net/mac.ts';
import { addrOf, lengthOf, type Prefix } from '#net/prefix.ts';
import {
  alu,
  aluReg,
  assemble,
  call,
  exit,
  goto,
  jump,
  jumpReg,
  type Line,
  load,
  loadMap,
  type Register,
  store,
  storeImm,
} from '#wire/bpf/assemble.ts';
import { HELPER, IPV4, PACKET, STACK, storeBytes } from '#wire/bpf/packet.ts';

/** Map of this node's pods: 4 bytes of address -> POD_VALUE bytes. */
export const POD_KEY = 4;
export const POD_VALUE = 20;
/** Longest-prefix map of the other nodes' networks: prefix length and address -> WAY_VALUE bytes. */
export const WAY_KEY = 8;
export const WAY_VALUE = 12;

export interface PodEntry {
  /** Of the host's end of the veth. */
  readonly ifindex: number;
  /** Bytes. */
  readonly mtu: number;
  /** The pod's end. */
  readonly mac: Mac;
  readonly hostMac: Mac;
}

export interface WayEntry {
  readonly ifindex: number;
  readonly mtu: number;
  /** IPv4 next hop on that interface. */
  readonly via: Addr;
}

export function podKey(addr: Addr): Uint8Array {
  return addrBytes(addr);
}

export function podValue({ ifindex, mtu, mac, hostMac }: PodEntry): Uint8Array {
  return joined(words(ifindex, mtu), macBytes(mac), macBytes(hostMac));
}

export function wayKey(to: Prefix): Uint8Array {
  return joined(words(lengthOf(to)), addrBytes(addrOf(to)));
}

export function wayValue({ ifindex, mtu, via }: WayEntry): Uint8Array {
  return joined(words(ifindex, mtu), addrBytes(via));
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  for (const [i, value] of values.entries()) new DataView(bytes.buffer).setUint32(4 * i, value, true);
  return bytes;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Offsets in struct __sk_buff (linux/bpf.h). */
const SKB = { len: 0, ifindex: 40, data: 76, dataEnd: 80, gsoSize: 176 } as const;
/** Offsets in an Ethernet frame that holds IPv4. */
const FRAME = { type: 12, ttl: 22, source: 26, target: 30, end: 34, header: 14 } as const;
const AF_INET = 2;
const TCX_NEXT = -1;
/** IPv4 and TCP headers without options: what a segment has beside its payload at least. */
const LEAST_HEADERS = 40;

// Kept over calls beside the packet: 7 its target, 8 an interface, 9 the header's word of TTL, protocol and checksum.
const TARGET: Register = 7;
const OUT: Register = 8;
const HEAD: Register = 9;
/** Places on the stack, from its end. */
const AT = { word: -8, key: -16, macs: -32, nextHop: -56 } as const;

/** For packets that a pod sends: only with its own address, and only where the packet arrives by its own interface. */
export function fromPod(pods: number, ways: number): Uint8Array {
  return assemble([
    ...parse,
    ...ownSource(pods),
    ...toPod(pods, 'remote'),
    { label: 'remote' },
    ...toNode(ways),
    ...slow,
  ]);
}

/** For packets that come from other nodes. */
export function fromNetwork(pods: number): Uint8Array {
  return assemble([...parse, ...toPod(pods, 'slow'), ...slow]);
}

const slow: readonly Line[] = [{ label: 'slow' }, alu(0, '=', TCX_NEXT), exit];

/** IPv4 with a TTL to spare; then the target and the header with one less of it. */
const parse: readonly Line[] = [
  aluReg(PACKET, '=', 1),
  load(32, 2, PACKET, SKB.data),
  load(32, 3, PACKET, SKB.dataEnd),
  aluReg(4, '=', 2),
  alu(4, '+', FRAME.end),
  jumpReg(4, '>', 3, 'slow'),
  load(16, 4, 2, FRAME.type),
  jump(4, '!=', IPV4, 'slow'),
  load(8, 4, 2, FRAME.ttl),
  jump(4, '<=', 1, 'slow'),
  load(32, TARGET, 2, FRAME.target),
  load(32, HEAD, 2, FRAME.ttl),
  // RFC 1624, as the kernel's ip_decrease_ttl: one less in the word of the TTL is one more in the checksum.
  aluReg(4, '=', HEAD),
  alu(4, '>>', 16),
  alu(4, '+', 1),
  jump(4, '<', 0xffff, 'no carry'),
  alu(4, '+', 1),
  { label: 'no carry' },
  alu(4, '&', 0xffff),
  alu(4, '<<', 16),
  alu(HEAD, '&', 0xffff),
  alu(HEAD, '-', 1),
  aluReg(HEAD, '|', 4),
];

function ownSource(pods: number): Line[] {
  return [
    load(32, 1, 2, FRAME.source),
    store(32, STACK, AT.word, 1),
    ...lookUp(pods, AT.word, 'slow'),
    load(32, 1, 0, 0),
    load(32, 2, PACKET, SKB.ifindex),
    jumpReg(1, '!=', 2, 'slow'),
  ];
}

/** Register 0 points to the value afterwards. */
function lookUp(map: number, key: number, absent: string): Line[] {
  return [
    loadMap(1, map),
    aluReg(2, '=', STACK),
    alu(2, '+', key),
    call(HELPER.mapLookup),
    jump(0, '==', 0, absent),
    load(32, OUT, 0, 0),
  ];
}

/** To the ordinary way with what does not fit, where the sender is told. Of a packet yet to be cut the pieces count. */
function fits(name: string): Line[] {
  return [
    load(32, 1, 0, 4),
    load(32, 2, PACKET, SKB.gsoSize),
    jump(2, '==', 0, `${name} whole`),
    alu(2, '+', LEAST_HEADERS),
    jumpReg(2, '>', 1, 'slow'),
    goto(`${name} fits`),
    { label: `${name} whole` },
    load(32, 2, PACKET, SKB.len),
    alu(2, '-', FRAME.header),
    jumpReg(2, '>', 1, 'slow'),
    { label: `${name} fits` },
  ];
}

function toPod(pods: number, absent: string): Line[] {
  return [
    store(32, STACK, AT.word, TARGET),
    ...lookUp(pods, AT.word, absent),
    ...fits('pod'),
    ...[0, 4, 8].flatMap((off) => [load(32, 1, 0, 8 + off), store(32, STACK, AT.macs + off, 1)]),
    ...storeBytes(0, AT.macs, 12),
    ...lessTtl,
    aluReg(1, '=', OUT),
    alu(2, '=', 0),
    call(HELPER.redirectPeer),
    exit,
  ];
}

function toNode(ways: number): Line[] {
  return [
    storeImm(32, STACK, AT.key, 32),
    store(32, STACK, AT.key + 4, TARGET),
    ...lookUp(ways, AT.key, 'slow'),
    ...fits('way'),
    // struct bpf_redir_neigh
    storeImm(32, STACK, AT.nextHop, AF_INET),
    load(32, 1, 0, 8),
    store(32, STACK, AT.nextHop + 4, 1),
    ...[8, 12, 16].map((off) => storeImm(32, STACK, AT.nextHop + off, 0)),
    ...lessTtl,
    aluReg(1, '=', OUT),
    aluReg(2, '=', STACK),
    alu(2, '+', AT.nextHop),
    alu(3, '=', 20),
    alu(4, '=', 0),
    call(HELPER.redirectNeigh),
    exit,
  ];
}

const lessTtl: readonly Line[] = [store(32, STACK, AT.word, HEAD), ...storeBytes(FRAME.ttl, AT.word, 4)];
