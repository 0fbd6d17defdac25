/** RTM_*TFILTER. Source: linux/pkt_cls.h, linux/tc_act/tc_mirred.h, tc_gact.h. */

import { addrBytes, familyOf } from '#net/addr.ts';
import { addrOf, lengthOf, type Prefix } from '#net/prefix.ts';
import * as N from '#wire/netlink/constants.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import { TCMSG, writeTcHeader } from '#wire/netlink/qdisc.ts';
import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import type { Filter, FilterAction, FilterMatch, U32Key } from '#wire/netlink/tc-values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const TCA_U32_CLASSID = 1;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TCA_MATCHALL_CLASSID = 1;
const TCA_MATCHALL_ACT = 2;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TCA_GACT_PARMS = 2;
const TCA_EGRESS_REDIR = 1;
const TC_ACT_OK = 0;
const TC_ACT_SHOT = 2;
const TC_ACT_STOLEN = 4;
const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
const TC_U32_TERMINAL = 1;
const SELECTOR = 16;
const KEY = 16;
const MAX_PRIORITY = 0xffff;

const PROTOCOLS = { all: 0x0003, ip: 0x0800, ipv6: 0x86dd, arp: 0x0806 } as const satisfies Record<
  Filter['protocol'],
  number
>;
/** TC_H_MIN_INGRESS and TC_H_MIN_EGRESS below TC_H_CLSACT. Of `ingress` any minor number does. */
const PLACES = { ingress: 0xfffffff2, egress: 0xfffffff3 } as const;

/** Keys that packets from or to the network fit, in the header of the prefix's own family. */
export function addressKeys(which: 'source' | 'destination', prefix: Prefix): U32Key[] {
  const addr = addrOf(prefix);
  const bytes = addrBytes(addr);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const v4 = familyOf(addr) === 4;
  const start = v4 ? (which === 'source' ? 12 : 16) : which === 'source' ? 8 : 24;
  return Array.from({ length: Math.ceil(lengthOf(prefix) / 32) }, (_, i) => {
    const bits = Math.min(32, lengthOf(prefix) - 32 * i);
    const mask = bits === 32 ? 0xffffffff : ~(0xffffffff >>> bits) >>> 0;
    return { value: (view.getUint32(4 * i) & mask) >>> 0, mask, at: start + 4 * i };
  });
}

function parentNumber(parent: Filter['parent']): number {
  return typeof parent === 'number' ? parent : PLACES[parent];
}

/** Priority, then the protocol in network byte order. @throws RangeError */
function infoOf({ priority, protocol }: Filter): number {
  if (priority < 1 || priority > MAX_PRIORITY)
    throw new RangeError(`Cannot use ${priority} as a filter's priority: 1 to ${MAX_PRIORITY}`);
  const number = PROTOCOLS[protocol];
  return ((priority << 16) | ((number & 0xff) << 8) | (number >> 8)) >>> 0;
}

/** Body of an RTM_NEWTFILTER. @throws NoSuchLink, RangeError */
export function writeFilter(writer: Writer, filter: Filter, names: NameToIndex): void {
  writeFilterRef(writer, filter, names);
  const { match, action } = filter;
  if (match.kind === 'other') return;
  if (match.kind === 'bpf') {
    writer.nest(N.TCA_OPTIONS, () => writeProgram(writer, match));
    return;
  }
  const type = match.kind === 'u32' ? TCA_U32_ACT : TCA_MATCHALL_ACT;
  writer.nest(N.TCA_OPTIONS, () => {
    // Both classifiers have the same number for it.
    if (filter.class !== undefined) writer.attrU32(TCA_U32_CLASSID, filter.class);
    if (match.kind === 'u32') writeSelector(writer, match.keys);
    if (action) writer.nest(type, () => writeAction(writer, action, names));
  });
}

function writeProgram(writer: Writer, { name, program }: Extract<FilterMatch, { kind: 'bpf' }>): void {
  if (program !== undefined) writer.attrU32(TCA_BPF_FD, program);
  writer.attrText(TCA_BPF_NAME, name);
  writer.attrU32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
}

/** Body of an RTM_DELTFILTER. @throws NoSuchLink, RangeError */
export function writeFilterRef(writer: Writer, filter: Filter, names: NameToIndex): void {
  const index = names.indexOf(filter.link);
  writeTcHeader(writer, index, filter.handle ?? 0, parentNumber(filter.parent), infoOf(filter));
  writer.attrText(N.TCA_KIND, filter.match.kind === 'other' ? filter.match.name : filter.match.kind);
}

/** `struct tc_u32_sel` and its keys, whose words are in network byte order. @throws RangeError */
function writeSelector(writer: Writer, keys: readonly U32Key[]): void {
  // One key that fits everything stands for none.
  const all = keys.length > 0 ? keys : [{ value: 0, mask: 0, at: 0 }];
  writer.attr(TCA_U32_SEL, () => {
    for (const byte of [TC_U32_TERMINAL, 0, all.length, 0]) writer.u8(byte);
    for (let i = 0; i < 3; i++) writer.u32(0);
    for (const { value, mask, at } of all) {
      writer.be32(mask);
      writer.be32(value);
      writer.u32(at);
      writer.u32(0);
    }
  });
}

/** The one action of a filter is its first. */
function writeAction(writer: Writer, action: FilterAction, names: NameToIndex): void {
  const redirect = action.kind === 'redirect';
  const verdict = redirect ? TC_ACT_STOLEN : action.kind === 'drop' ? TC_ACT_SHOT : TC_ACT_OK;
  writer.nest(1, () => {
    writer.attrText(TCA_ACT_KIND, redirect ? 'mirred' : 'gact');
    writer.nest(TCA_ACT_OPTIONS, () => {
      writer.attr(redirect ? TCA_MIRRED_PARMS : TCA_GACT_PARMS, () => {
        for (const word of [0, 0, verdict, 0, 0]) writer.u32(word);
        if (redirect) for (const word of [TCA_EGRESS_REDIR, names.indexOf(action.to)]) writer.u32(word);
      });
    });
  });
}

/** Body of an RTM_GETTFILTER dump, of one place of one interface. */
export function writeFilterDump(writer: Writer, index: number, parent: Filter['parent']): void {
  writeTcHeader(writer, index, 0, parentNumber(parent));
}

/** Reads an RTM_NEWTFILTER. Undefined if it only holds others, or its interface is gone. @throws SyntaxError */
export function readFilter(body: Span, names: IndexToName): Filter | undefined {
  const at = header(body, TCMSG);
  const link = names.nameOf(body.view.getInt32(at + 4, true));
  const attrs = new Attrs(body.view, at + TCMSG, body.end);
  const handle = body.view.getUint32(at + 8, true);
  const info = body.view.getUint32(at + 16, true);
  const match = readMatch(attrs);
  const protocol = protocolOf(((info & 0xff) << 8) | ((info >> 8) & 0xff));
  if (link === undefined || match === undefined || protocol === undefined) return undefined;
  const data = attrs.nested(N.TCA_OPTIONS);
  const known = match.kind === 'u32' || match.kind === 'matchall';
  const into = known ? data.u32(TCA_MATCHALL_CLASSID) : undefined;
  const action = known
    ? readAction(data.nested(match.kind === 'u32' ? TCA_U32_ACT : TCA_MATCHALL_ACT), names)
    : undefined;
  return {
    link,
    parent: placeName(body.view.getUint32(at + 12, true)),
    priority: info >>> 16,
    protocol,
    match,
    ...(into ? { class: into } : {}),
    ...(action ? { action } : {}),
    ...(handle === 0 ? {} : { handle }),
  };
}

function protocolOf(number: number): Filter['protocol'] | undefined {
  return (Object.keys(PROTOCOLS) as Filter['protocol'][]).find((name) => PROTOCOLS[name] === number);
}

function placeName(parent: number): Filter['parent'] {
  if (parent === PLACES.egress) return 'egress';
  return parent === PLACES.ingress || parent === N.TC_H_INGRESS_HANDLE ? 'ingress' : parent;
}

/** Undefined of what only holds filters: a classifier itself, which has no options; a table of u32, which has no selector. */
function readMatch(attrs: Attrs): FilterMatch | undefined {
  const kind = attrs.text(N.TCA_KIND) ?? '';
  if (!attrs.has(N.TCA_OPTIONS)) return undefined;
  if (kind === 'matchall') return { kind };
  if (kind === 'bpf') return { kind, name: attrs.nested(N.TCA_OPTIONS).text(TCA_BPF_NAME) ?? '' };
  if (kind !== 'u32') return { kind: 'other', name: kind };
  const selector = attrs.nested(N.TCA_OPTIONS).span(TCA_U32_SEL);
  return selector && { kind, keys: readKeys(selector) };
}

function readKeys(selector: Span): U32Key[] {
  const { view } = selector;
  const at = header(selector, SELECTOR);
  const count = view.getUint8(at + 2);
  header(selector, SELECTOR + count * KEY);
  const keys = Array.from({ length: count }, (_, i) => {
    const key = at + SELECTOR + i * KEY;
    return { value: view.getUint32(key + 4), mask: view.getUint32(key), at: view.getUint32(key + 8, true) };
  });
  return keys.filter(({ mask }) => mask !== 0);
}

function readAction(actions: Attrs, names: IndexToName): FilterAction | undefined {
  const first = actions.nested(1);
  const options = first.nested(TCA_ACT_OPTIONS);
  const kind = first.text(TCA_ACT_KIND);
  const parms = options.span(2);
  if (!parms) return undefined;
  if (kind === 'mirred') return readRedirect(parms, names);
  if (kind !== 'gact') return undefined;
  const verdict = parms.view.getInt32(header(parms, 20) + 8, true);
  return verdict === TC_ACT_SHOT ? { kind: 'drop' } : verdict === TC_ACT_OK ? { kind: 'pass' } : undefined;
}

function readRedirect(parms: Span, names: IndexToName): FilterAction | undefined {
  const at = header(parms, 28);
  const to = names.nameOf(parms.view.getInt32(at + 24, true));
  return to === undefined || parms.view.getInt32(at + 20, true) !== TCA_EGRESS_REDIR
    ? undefined
    : { kind: 'redirect', to };
}
