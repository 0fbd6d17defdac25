/**
 * IPv4 inside IPv4 (RFC 2003) as two programs for tc, for kernels without interfaces of kind ipip.
 *
 * One stands where packets leave the device that bears the tunnel's name: it puts the outer header before them and sends
 * them on by the node's own interface. The remote address is the next hop of the packet's route, as it is for a real tunnel,
 * so whoever makes the routes (the agent, BIRD) need not know of all this: each remote address is a neighbour on the
 * device whose hardware address spells it (`macOfRemote`), and that is where the program reads it. The other stands where packets
 * come in from other nodes: it takes the outer header away and lets the packet come in by the device.
 */

import { type Addr, addrBytes } from '#net/addr.ts';
import { type Mac, macBytes, macFromBytes } from '#net/mac.ts';
import {
  alu,
  aluReg,
  assemble,
  call,
  exit,
  jump,
  jumpReg,
  type Line,
  load,
  type Register,
  store,
  storeImm,
} from '#wire/bpf/assemble.ts';
import { oneOf } from '#wire/bpf/one-of.ts';
import { HELPER, IPV4, PACKET, STACK, storeBytes } from '#wire/bpf/packet.ts';

/** What the programs are made for; interfaces by index. */
export interface IpipPath {
  /** The device whose packets are encapsulated. */
  readonly tunnel: number;
  readonly tunnelMac: Mac;
  /** What carries the outer packets. */
  readonly underlay: number;
  /** Source of outer headers. */
  readonly local: Addr;
  /** Outer sources whose packets are taken; those of others stay as they are. */
  readonly remotes: readonly Addr[];
}

/** What the hardware addresses of remote ones begin with: locally administered, and IPIP's protocol number. */
const MARK = [0x02, 0x04] as const;

/** The hardware address that an IPv4 address has as a neighbour on the tunnel's device. */
export function macOfRemote(remote: Addr): Mac {
  return macFromBytes(Uint8Array.of(...MARK, ...addrBytes(remote)));
}

/** Offsets in struct __sk_buff (linux/bpf.h). */
const SKB = { len: 0, data: 76, dataEnd: 80 } as const;
/** Offsets in an Ethernet frame that holds IPv4. */
const FRAME = {
  type: 12,
  version: 14,
  fragment: 20,
  protocol: 23,
  source: 26,
  target: 30,
  inner: 34,
  innerEnd: 54,
} as const;
const BPF_ADJ_ROOM_MAC = 1;
/** FIXED_GSO | ENCAP_L3_IPV4, and FIXED_GSO | DECAP_L3_IPV4 (Linux 6.3), of BPF_F_ADJ_ROOM_. */
const ENCAP = 1 | 2;
const DECAP = 1 | 128;
const BPF_F_INGRESS = 1;
const TC_ACT_UNSPEC = -1;
const TC_ACT_SHOT = 2;
const IPPROTO_IPIP = 4;
/** 255.255.255.255, which sends nothing: with nobody at all the verifier would miss a way to the rest. */
const NOBODY = -1;
const HEADER = 20;
const ETHERNET = 14;
/** Version 4, five words; TTL 64, as the route may well lead over routers. */
const VERSION = 0x45;
const TTL = 64;
/** DF as it is read: the bytes 40 00, the low one first. */
const DONT_FRAGMENT = 0x0040;

// Kept over calls beside the packet: 7 the outer source, 8 the remote address, 9 the inner header's DF.
const LOCAL: Register = 7;
const REMOTE: Register = 8;
const FRAGMENT: Register = 9;
/** Places on the stack, from its end: the new header, a hardware address. */
const AT = { header: -24, mac: -32 } as const;

/** An address as a word that is loaded from memory has it. */
function wordOf(addr: Addr): number {
  const bytes = addrBytes(addr);
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
}

/** Of what is not IPv4 with a whole header nothing is done. */
function parse(end: number, other: string): Line[] {
  return [
    aluReg(PACKET, '=', 1),
    load(32, 2, PACKET, SKB.data),
    load(32, 3, PACKET, SKB.dataEnd),
    aluReg(4, '=', 2),
    alu(4, '+', end),
    jumpReg(4, '>', 3, other),
    load(16, 4, 2, FRAME.type),
    jump(4, '!=', IPV4, other),
  ];
}

/** For packets that leave by the tunnel's device. What cannot be sent is dropped, as a tunnel does. */
export function encapsulate({ underlay, local }: Pick<IpipPath, 'underlay' | 'local'>): Uint8Array {
  return assemble([
    ...parse(FRAME.inner, 'drop'),
    load(16, FRAGMENT, 2, FRAME.fragment),
    alu(FRAGMENT, '&', DONT_FRAGMENT),
    // A next hop that is nobody's address has the device's own.
    load(16, 4, 2, 0),
    jump(4, '!=', MARK[0] | (MARK[1] << 8), 'drop'),
    load(32, REMOTE, 2, MARK.length),
    aluReg(1, '=', PACKET),
    alu(2, '=', HEADER),
    alu(3, '=', BPF_ADJ_ROOM_MAC),
    alu(4, '=', ENCAP),
    call(HELPER.adjustRoom),
    jump(0, '!=', 0, 'drop'),
    ...outerHeader(local),
    ...storeBytes(FRAME.version, AT.header, HEADER),
    jump(0, '!=', 0, 'drop'),
    alu(1, '=', underlay),
    alu(2, '=', 0),
    alu(3, '=', 0),
    alu(4, '=', 0),
    call(HELPER.redirectNeigh),
    exit,
    { label: 'drop' },
    alu(0, '=', TC_ACT_SHOT),
    exit,
  ]);
}

/** Written on the stack; its checksum is RFC 1071's over the ten words. */
function outerHeader(local: Addr): Line[] {
  const at = (offset: number) => AT.header + offset;
  const words = Array.from({ length: HEADER / 2 }, (_, i) => 2 * i).filter((offset) => offset !== 10);
  return [
    // Whole length, in network byte order.
    load(32, 1, PACKET, SKB.len),
    alu(1, '-', ETHERNET),
    aluReg(2, '=', 1),
    alu(2, '>>', 8),
    alu(2, '&', 0xff),
    alu(1, '&', 0xff),
    alu(1, '<<', 8),
    aluReg(1, '|', 2),
    storeImm(16, STACK, at(0), VERSION),
    store(16, STACK, at(2), 1),
    call(HELPER.random),
    store(16, STACK, at(4), 0),
    store(16, STACK, at(6), FRAGMENT),
    storeImm(8, STACK, at(8), TTL),
    storeImm(8, STACK, at(9), IPPROTO_IPIP),
    storeImm(16, STACK, at(10), 0),
    storeImm(32, STACK, at(12), wordOf(local)),
    store(32, STACK, at(16), REMOTE),
    alu(1, '=', 0),
    ...words.flatMap((offset) => [load(16, 2, STACK, at(offset)), aluReg(1, '+', 2)]),
    ...[0, 1].flatMap(() => [aluReg(2, '=', 1), alu(2, '>>', 16), alu(1, '&', 0xffff), aluReg(1, '+', 2)]),
    // The complement of 16 bits.
    alu(2, '=', 0xffff),
    aluReg(2, '-', 1),
    store(16, STACK, at(10), 2),
  ];
}

/** For packets that come in by the underlay: those of protocol 4 from a node to our own address, whole and with a plain outer header. */
export function decapsulate({ tunnel, tunnelMac, local, remotes }: IpipPath): Uint8Array {
  const mac = macBytes(tunnelMac);
  return assemble([
    ...parse(FRAME.innerEnd, 'other'),
    load(8, 4, 2, FRAME.version),
    jump(4, '!=', VERSION, 'other'),
    load(8, 4, 2, FRAME.protocol),
    jump(4, '!=', IPPROTO_IPIP, 'other'),
    // More fragments, or not the first: the kernel puts them together, and has no use for the whole.
    load(16, 4, 2, FRAME.fragment),
    alu(4, '&', 0xff3f),
    jump(4, '!=', 0, 'other'),
    load(8, 4, 2, FRAME.inner),
    alu(4, '>>', 4),
    jump(4, '!=', 4, 'other'),
    load(32, LOCAL, 2, FRAME.target),
    storeImm(32, STACK, AT.header, wordOf(local)),
    load(32, 4, STACK, AT.header),
    jumpReg(LOCAL, '!=', 4, 'other'),
    load(32, 4, 2, FRAME.source),
    ...oneOf(4, [NOBODY, ...remotes.map(wordOf)], 'known', 'other'),
    { label: 'known' },
    aluReg(1, '=', PACKET),
    alu(2, '=', -HEADER),
    alu(3, '=', BPF_ADJ_ROOM_MAC),
    alu(4, '=', DECAP),
    call(HELPER.adjustRoom),
    jump(0, '!=', 0, 'other'),
    ...Array.from(mac, (byte, i) => storeImm(8, STACK, AT.mac + i, byte)),
    ...storeBytes(0, AT.mac, mac.length),
    alu(1, '=', tunnel),
    alu(2, '=', BPF_F_INGRESS),
    call(HELPER.redirect),
    exit,
    { label: 'other' },
    alu(0, '=', TC_ACT_UNSPEC),
    exit,
  ]);
}
