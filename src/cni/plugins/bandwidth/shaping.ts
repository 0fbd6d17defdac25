/** What traffic control is to look like on one interface: what it lets out is shaped. */

import type { Shape, Subnets } from '#cni/plugins/bandwidth/conf.ts';
import { addrBytes } from '#net/addr.ts';
import { addrOf, lengthOf, type Prefix, prefixFamily } from '#net/prefix.ts';
import { limitOfLatency } from '#wire/netlink/tc-rate.ts';
import { type Filter, type Qdisc, type TcClass, type TcOp, tcId, type U32Key } from '#wire/netlink/tc-values.ts';

export interface Shaping {
  readonly qdisc: Qdisc;
  readonly classes: readonly TcClass[];
  readonly filters: readonly Filter[];
}

/** How long a packet may wait at most, as the reference plugin has it. Milliseconds. */
const LATENCY_MS = 25;
const MAX_U32 = 2 ** 32 - 1;
/** Ethernet's header, with a VLAN's tag. */
const HEADER = 18;
const ROOT = tcId(1);
const UNSHAPED = tcId(1, 1);
const SHAPED = tcId(1, 0x30);
/** 100 Gb/s in bytes per second: no limit in effect. */
const UNLIMITED: Shape = { rate: 12_500_000_000, burst: 16_000_000 };

/** @param mtu bytes: a burst that lets no whole packet through would let nothing through */
export function shapingOf(link: string, mtu: number, asked: Shape, subnets: Subnets | undefined): Shaping {
  const shape = { rate: asked.rate, burst: Math.max(asked.burst, mtu + HEADER) };
  if (!subnets) return { qdisc: tbf(link, shape), classes: [], filters: [] };
  const [rest, named] = subnets.kind === 'unshaped' ? [SHAPED, UNSHAPED] : [UNSHAPED, SHAPED];
  return {
    qdisc: { link, handle: ROOT, info: { kind: 'htb', defaultClass: rest & 0xffff } },
    classes: [classOf(link, UNSHAPED, UNLIMITED), classOf(link, SHAPED, shape)],
    filters: subnets.networks.flatMap((network) => filtersOf(link, network, named)),
  };
}

function tbf(link: string, { rate, burst }: Shape): Qdisc {
  const limit = Math.min(MAX_U32, limitOfLatency(rate, burst, LATENCY_MS));
  return { link, handle: ROOT, info: { kind: 'tbf', rate, burst, limit } };
}

function classOf(link: string, id: number, { rate, burst }: Shape): TcClass {
  return { link, parent: ROOT, id, rate, ceil: rate, burst, ceilBurst: burst };
}

/** Whoever of the two the packet comes from or goes to: the pod is at the other end in any case. */
function filtersOf(link: string, network: Prefix, into: number): Filter[] {
  const v4 = prefixFamily(network) === 4;
  const places = lengthOf(network) === 0 ? [0] : v4 ? [12, 16] : [8, 24];
  return places.map((at) => ({
    link,
    parent: ROOT,
    priority: v4 ? 1 : 2,
    protocol: v4 ? 'ip' : 'ipv6',
    match: { kind: 'u32', keys: keysOf(network, at) },
    class: into,
  }));
}

/** The network's bits, as many words as have some. @param at where the address stands in the header, bytes */
export function keysOf(network: Prefix, at: number): U32Key[] {
  const bytes = addrBytes(addrOf(network));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = Math.ceil(lengthOf(network) / 32);
  return Array.from({ length: words }, (_, i) => {
    const bits = Math.min(32, lengthOf(network) - 32 * i);
    return { value: view.getUint32(4 * i), mask: (MAX_U32 << (32 - bits)) >>> 0, at: at + 4 * i };
  });
}

export function shapingOps({ qdisc, classes, filters }: Shaping): TcOp[] {
  return [
    { op: 'qdisc.add', qdisc },
    ...classes.map((one): TcOp => ({ op: 'class.add', class: one })),
    ...filters.map((filter): TcOp => ({ op: 'filter.add', filter })),
  ];
}
