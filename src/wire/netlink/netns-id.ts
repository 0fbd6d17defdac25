/** Numbers by which one network namespace calls others: RTM_GETNSID (include/uapi/linux/net_namespace.h). */

import * as N from '#wire/netlink/constants.ts';
import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import type { Writer } from '#wire/netlink/writer.ts';

/** `struct rtgenmsg`, padded. */
const RTGENMSG = 4;

/** Body of an RTM_GETNSID that asks for the namespace of a process, by its number in the asker's PID namespace. */
export function writeNetnsIdQuery(writer: Writer, pid: number): void {
  writer.u32(0);
  writer.attrU32(N.NETNSA_PID, pid);
}

/** Reads an RTM_NEWNSID; undefined if it has no number here: then no interface of this namespace leads there. @throws SyntaxError */
export function readNetnsId(body: Span): number | undefined {
  const at = header(body, RTGENMSG);
  const id = new Attrs(body.view, at + RTGENMSG, body.end).i32(N.NETNSA_NSID);
  return id === undefined || id < 0 ? undefined : id;
}
