/** RTM_*RULE: routing policy rules that look a table up. Source: linux/fib_rules.h. */

import { lengthOf } from '#net/prefix.ts';
import * as N from '#wire/netlink/constants.ts';
import { familyNumber, familyOfNumber, readNetwork, writeNetwork } from '#wire/netlink/family.ts';
import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import type { Rule } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const FIB_RULE_HDR = 12;

/** Body of an RTM_NEWRULE or RTM_DELRULE. */
export function writeRule(writer: Writer, rule: Rule): void {
  writer.u8(familyNumber(rule.family));
  writer.u8(rule.to ? lengthOf(rule.to) : 0);
  writer.u8(rule.from ? lengthOf(rule.from) : 0);
  writer.u8(0);
  // The table's number may not fit the header; the attribute counts.
  writer.u8(0);
  writer.u16(0);
  writer.u8(N.FR_ACT_TO_TBL);
  writer.u32(rule.invert ? N.FIB_RULE_INVERT : 0);
  writeNetwork(writer, N.FRA_DST, rule.to);
  writeNetwork(writer, N.FRA_SRC, rule.from);
  writer.attrU32(N.FRA_PRIORITY, rule.priority);
  writer.attrU32(N.FRA_TABLE, rule.table);
  if (rule.mark) {
    writer.attrU32(N.FRA_FWMARK, rule.mark.value);
    writer.attrU32(N.FRA_FWMASK, rule.mark.mask);
  }
  if (rule.inLink !== undefined) writer.attrText(N.FRA_IIFNAME, rule.inLink);
  if (rule.outLink !== undefined) writer.attrText(N.FRA_OIFNAME, rule.outLink);
  if (rule.protocol !== undefined) writer.attrU8(N.FRA_PROTOCOL, rule.protocol);
}

/** Body of an RTM_GETRULE dump. */
export function writeRuleDump(writer: Writer): void {
  for (let i = 0; i < FIB_RULE_HDR / 4; i++) writer.u32(0);
}

/** Reads an RTM_NEWRULE or RTM_DELRULE. Undefined if it is not IP or does something else than look a table up. @throws SyntaxError */
export function readRule(body: Span): Rule | undefined {
  const at = header(body, FIB_RULE_HDR);
  const { view } = body;
  const family = familyOfNumber(view.getUint8(at));
  if (family === undefined || view.getUint8(at + 7) !== N.FR_ACT_TO_TBL) return undefined;
  const attrs = new Attrs(view, at + FIB_RULE_HDR, body.end);
  const network = (type: number, length: number) =>
    length > 0 ? readNetwork(family, length, attrs.bytes(type)) : undefined;
  const to = network(N.FRA_DST, view.getUint8(at + 1));
  const from = network(N.FRA_SRC, view.getUint8(at + 2));
  return {
    family,
    priority: attrs.u32(N.FRA_PRIORITY) ?? 0,
    table: attrs.u32(N.FRA_TABLE) ?? view.getUint8(at + 4),
    ...(view.getUint32(at + 8, true) & N.FIB_RULE_INVERT ? { invert: true } : {}),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...optional(attrs),
  };
}

function optional(attrs: Attrs): Pick<Rule, 'mark' | 'inLink' | 'outLink' | 'protocol'> {
  // The kernel leaves out a mark of zero and tells its mask alone.
  const mask = attrs.u32(N.FRA_FWMASK);
  const value = attrs.u32(N.FRA_FWMARK) ?? (mask === undefined ? undefined : 0);
  const inLink = attrs.text(N.FRA_IIFNAME);
  const outLink = attrs.text(N.FRA_OIFNAME);
  const protocol = attrs.u8(N.FRA_PROTOCOL);
  return {
    ...(value === undefined ? {} : { mark: { value, mask: mask ?? 0xffffffff } }),
    ...(inLink === undefined ? {} : { inLink }),
    ...(outLink === undefined ? {} : { outLink }),
    ...(protocol ? { protocol } : {}),
  };
}
