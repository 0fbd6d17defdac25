/** Generic netlink: how a family of messages is found by its name. Source: linux/genetlink.h. */

import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import type { Writer } from '#wire/netlink/writer.ts';

/** Message type of the controller, which knows all families. */
export const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const GENLMSGHDR = 4;

/** `struct genlmsghdr`. */
export function writeGenericHeader(writer: Writer, command: number, version: number): void {
  writer.u8(command);
  writer.u8(version);
  writer.u16(0);
}

/** Attributes after the header. @throws SyntaxError */
export function readGeneric(body: Span): Attrs {
  const at = header(body, GENLMSGHDR);
  return new Attrs(body.view, at + GENLMSGHDR, body.end);
}

/** Body of a question to the controller; it is answered ENOENT where the kernel has no such family. */
export function writeFamilyQuery(writer: Writer, name: string): void {
  writeGenericHeader(writer, CTRL_CMD_GETFAMILY, 1);
  writer.attrText(CTRL_ATTR_FAMILY_NAME, name);
}

/** The message type of the family. Undefined if the answer does not say it. @throws SyntaxError */
export function readFamily(body: Span): number | undefined {
  return readGeneric(body).u16(CTRL_ATTR_FAMILY_ID);
}
