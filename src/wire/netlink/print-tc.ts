/** Operations on traffic control as lines of tc. Source: tc(8), tc-tbf(8), tc-htb(8), tc-u32(8), tc-mirred(8). */

import type { Filter, Qdisc, QdiscInfo, TcClass, TcId, TcOp } from '#wire/netlink/tc-values.ts';

type Word = string | number;

export function printTcOp(op: TcOp): string {
  const verb = op.op.slice(op.op.indexOf('.') + 1);
  if ('qdisc' in op) return ['tc qdisc', verb, ...qdiscWords(op.qdisc, verb === 'del')].join(' ');
  if ('class' in op) return ['tc class', verb, ...classWords(op.class, verb === 'del')].join(' ');
  return ['tc filter', verb, ...filterWords(op.filter, verb === 'del')].join(' ');
}

/** Numbers of ids are hexadecimal, a minor number 0 is left out. */
export function printTcId(id: TcId): string {
  const minor = id & 0xffff;
  return `${(id >>> 16).toString(16)}:${minor === 0 ? '' : minor.toString(16)}`;
}

function qdiscWords({ link, parent, handle, info }: Qdisc, short: boolean): Word[] {
  if (info.kind === 'ingress' || info.kind === 'clsact') return ['dev', link, info.kind];
  return [
    ...['dev', link],
    ...(parent === undefined ? ['root'] : ['parent', printTcId(parent)]),
    ...(handle === undefined ? [] : ['handle', printTcId(handle)]),
    ...(short ? [] : infoWords(info)),
  ];
}

function infoWords(info: QdiscInfo): Word[] {
  if (info.kind === 'other') return [info.name];
  if (info.kind === 'tbf') return ['tbf', 'rate', `${info.rate}bps`, 'burst', info.burst, 'limit', info.limit];
  return info.kind === 'htb' ? ['htb', 'default', info.defaultClass.toString(16)] : [info.kind];
}

function classWords({ link, parent, id, rate, ceil, burst, ceilBurst }: TcClass, short: boolean): Word[] {
  const place = ['dev', link, 'parent', printTcId(parent), 'classid', printTcId(id)];
  if (short) return place;
  return [...place, 'htb', 'rate', `${rate}bps`, 'ceil', `${ceil}bps`, 'burst', burst, 'cburst', ceilBurst];
}

function filterWords(filter: Filter, short: boolean): Word[] {
  const { link, parent, priority, protocol, match, handle } = filter;
  const kind = match.kind === 'other' ? match.name : match.kind;
  return [
    ...['dev', link],
    ...(typeof parent === 'number' ? ['parent', printTcId(parent)] : [parent]),
    ...['protocol', protocol, 'pref', priority],
    ...(handle === undefined ? [] : ['handle', kind === 'u32' ? u32Handle(handle) : `0x${handle.toString(16)}`]),
    kind,
    ...(short ? [] : matchWords(filter)),
  ];
}

/** Table, bucket and node. */
function u32Handle(handle: number): string {
  const bucket = (handle >>> 12) & 0xff;
  return `${(handle >>> 20).toString(16)}:${bucket === 0 ? '' : bucket.toString(16)}:${(handle & 0xfff).toString(16)}`;
}

function matchWords({ match, class: into, action }: Filter): Word[] {
  const hex = (word: number) => `0x${word.toString(16).padStart(8, '0')}`;
  const keys = match.kind === 'u32' && match.keys.length === 0 ? [{ value: 0, mask: 0, at: 0 }] : [];
  const all = match.kind === 'u32' ? [...match.keys, ...keys] : [];
  if (match.kind === 'bpf') return ['direct-action', 'name', match.name];
  return [
    ...all.flatMap(({ value, mask, at }): Word[] => ['match', 'u32', hex(value), hex(mask), 'at', at]),
    ...(into === undefined ? [] : ['classid', printTcId(into)]),
    ...(action?.kind === 'redirect' ? ['action', 'mirred', 'egress', 'redirect', 'dev', action.to] : []),
    ...(action?.kind === 'drop' ? ['action', 'drop'] : action?.kind === 'pass' ? ['action', 'pass'] : []),
  ];
}
