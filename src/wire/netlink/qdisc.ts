/** RTM_*QDISC and RTM_*TCLASS. Source: linux/rtnetlink.h (`struct tcmsg`), linux/pkt_sched.h. */

import * as N from '#wire/netlink/constants.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import { burstTicks, readRate, ticksToBurst, writeLargeRate, writeRate } from '#wire/netlink/tc-rate.ts';
import type { Qdisc, QdiscInfo, TcClass } from '#wire/netlink/tc-values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

export const TCMSG = 20;
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const TCA_HTB_PARMS = 1;
const TCA_HTB_INIT = 2;
const TCA_HTB_RATE64 = 6;
const TCA_HTB_CEIL64 = 7;
const HTB_VERSION = 3;
/** A class may send a tenth of what it has in a second before the next has its turn. */
const RATE_TO_QUANTUM = 10;

/** `struct tcmsg`. */
export function writeTcHeader(writer: Writer, index: number, handle: number, parent: number, info = 0): void {
  writer.u32(0);
  writer.u32(index);
  writer.u32(handle);
  writer.u32(parent);
  writer.u32(info);
}

function placeOf({ info, handle, parent }: Qdisc): [handle: number, parent: number] {
  if (info.kind === 'ingress' || info.kind === 'clsact') return [N.TC_H_INGRESS_HANDLE, N.TC_H_INGRESS];
  return [handle ?? 0, parent ?? N.TC_H_ROOT];
}

/** Body of an RTM_NEWQDISC or RTM_DELQDISC. @throws NoSuchLink */
export function writeQdisc(writer: Writer, qdisc: Qdisc, names: NameToIndex): void {
  writeTcHeader(writer, names.indexOf(qdisc.link), ...placeOf(qdisc));
  writer.attrText(N.TCA_KIND, qdisc.info.kind === 'other' ? qdisc.info.name : qdisc.info.kind);
  writeInfo(writer, qdisc.info);
}

function writeInfo(writer: Writer, info: QdiscInfo): void {
  if (info.kind === 'tbf') writer.nest(N.TCA_OPTIONS, () => writeTbf(writer, info));
  if (info.kind !== 'htb') return;
  writer.nest(N.TCA_OPTIONS, () => {
    writer.attr(TCA_HTB_INIT, () => {
      for (const word of [HTB_VERSION, RATE_TO_QUANTUM, info.defaultClass, 0, 0]) writer.u32(word);
    });
  });
}

/** `struct tc_tbf_qopt`. */
function writeTbf(writer: Writer, { rate, burst, limit }: Extract<QdiscInfo, { kind: 'tbf' }>): void {
  writer.attr(TCA_TBF_PARMS, () => {
    writeRate(writer, rate);
    writeRate(writer, 0);
    for (const word of [limit, burstTicks(rate, burst), 0]) writer.u32(word);
  });
  writer.attrU32(TCA_TBF_BURST, burst);
  writeLargeRate(writer, TCA_TBF_RATE64, rate);
}

/** Reads an RTM_NEWQDISC. Undefined if its interface is gone. @throws SyntaxError */
export function readQdisc(body: Span, names: IndexToName): Qdisc | undefined {
  const at = header(body, TCMSG);
  const link = names.nameOf(body.view.getInt32(at + 4, true));
  if (link === undefined) return undefined;
  const attrs = new Attrs(body.view, at + TCMSG, body.end);
  const info = readInfo(attrs);
  if (info.kind === 'ingress' || info.kind === 'clsact') return { link, info };
  const handle = body.view.getUint32(at + 8, true);
  const parent = body.view.getUint32(at + 12, true);
  return { link, ...(parent === N.TC_H_ROOT ? {} : { parent }), ...(handle === 0 ? {} : { handle }), info };
}

function readInfo(attrs: Attrs): QdiscInfo {
  const kind = attrs.text(N.TCA_KIND) ?? '';
  if (kind === 'ingress' || kind === 'clsact') return { kind };
  if (kind === 'tbf') return readTbf(attrs.nested(N.TCA_OPTIONS));
  if (kind === 'htb') return readHtb(attrs.nested(N.TCA_OPTIONS));
  return { kind: 'other', name: kind };
}

function readTbf(data: Attrs): QdiscInfo {
  const parms = data.span(TCA_TBF_PARMS);
  if (!parms) return { kind: 'tbf', rate: 0, burst: 0, limit: 0 };
  const at = header(parms, 36);
  const rate = readRate(parms.view, at, data.u64(TCA_TBF_RATE64));
  const ticks = parms.view.getUint32(at + 28, true);
  return { kind: 'tbf', rate, burst: ticksToBurst(rate, ticks), limit: parms.view.getUint32(at + 24, true) };
}

function readHtb(data: Attrs): QdiscInfo {
  const init = data.span(TCA_HTB_INIT);
  if (!init) return { kind: 'htb', defaultClass: 0 };
  return { kind: 'htb', defaultClass: init.view.getUint32(header(init, 20) + 8, true) };
}

/** Body of an RTM_NEWTCLASS or RTM_DELTCLASS. @throws NoSuchLink */
export function writeClass(writer: Writer, own: TcClass, names: NameToIndex): void {
  writeTcHeader(writer, names.indexOf(own.link), own.id, own.parent);
  writer.attrText(N.TCA_KIND, 'htb');
  writer.nest(N.TCA_OPTIONS, () => {
    // `struct tc_htb_opt`; the kernel works the quantum out.
    writer.attr(TCA_HTB_PARMS, () => {
      writeRate(writer, own.rate);
      writeRate(writer, own.ceil);
      writer.u32(burstTicks(own.rate, own.burst));
      writer.u32(burstTicks(own.ceil, own.ceilBurst));
      for (let i = 0; i < 3; i++) writer.u32(0);
    });
    writeLargeRate(writer, TCA_HTB_RATE64, own.rate);
    writeLargeRate(writer, TCA_HTB_CEIL64, own.ceil);
  });
}

/** Reads an RTM_NEWTCLASS. Undefined if it is not of an htb or its interface is gone. @throws SyntaxError */
export function readClass(body: Span, names: IndexToName): TcClass | undefined {
  const at = header(body, TCMSG);
  const link = names.nameOf(body.view.getInt32(at + 4, true));
  const attrs = new Attrs(body.view, at + TCMSG, body.end);
  const data = attrs.nested(N.TCA_OPTIONS);
  const parms = data.span(TCA_HTB_PARMS);
  if (link === undefined || attrs.text(N.TCA_KIND) !== 'htb' || !parms) return undefined;
  const start = header(parms, 44);
  const rate = readRate(parms.view, start, data.u64(TCA_HTB_RATE64));
  const ceil = readRate(parms.view, start + 12, data.u64(TCA_HTB_CEIL64));
  const id = body.view.getUint32(at + 8, true);
  const parent = body.view.getUint32(at + 12, true);
  return {
    link,
    // Of a class right below the qdisc the kernel says that it is below the root.
    parent: parent === N.TC_H_ROOT ? (id & 0xffff0000) >>> 0 : parent,
    id,
    rate,
    ceil,
    burst: ticksToBurst(rate, parms.view.getUint32(start + 24, true)),
    ceilBurst: ticksToBurst(ceil, parms.view.getUint32(start + 28, true)),
  };
}

/** Body of an RTM_GETQDISC dump (of all interfaces) or RTM_GETTCLASS dump (of one). */
export function writeTcDump(writer: Writer, index = 0): void {
  writeTcHeader(writer, index, 0, 0);
}
