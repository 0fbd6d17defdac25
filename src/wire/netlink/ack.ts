/** Acknowledgements and errors, with the kernel's own words about them (NETLINK_EXT_ACK). */

import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSGERR_ATTR_MSG, NLMSGERR_ATTR_OFFS } from '#wire/netlink/constants.ts';
import { Attrs, header, type Message, malformed } from '#wire/netlink/reader.ts';

export interface Ack {
  /** Positive; 0 means done. */
  readonly errno: number;
  readonly text?: string;
  /** Where in the request the attribute lies that the kernel refused, bytes. */
  readonly offset?: number;
}

/** Reads NLMSG_ERROR, or NLMSG_DONE if that carries a result. @throws SyntaxError */
export function readAck(message: Message): Ack {
  const at = header(message, 4);
  const errno = -message.view.getInt32(at, true) || 0;
  if (errno < 0) throw malformed(`error number ${errno}`);
  return { errno, ...(message.flags & NLM_F_ACK_TLVS ? readExtended(message) : {}) };
}

function readExtended(message: Message): { text?: string; offset?: number } {
  const attrs = new Attrs(message.view, extendedStart(message), message.end);
  const text = attrs.text(NLMSGERR_ATTR_MSG);
  const offset = attrs.u32(NLMSGERR_ATTR_OFFS);
  return { ...(text === undefined ? {} : { text }), ...(offset === undefined ? {} : { offset }) };
}

/** An error repeats the request after its number: its header only if capped, else all of it. NLMSG_DONE repeats nothing. */
function extendedStart(message: Message): number {
  const request = message.start + 4;
  if (message.type !== 2) return request;
  if (message.end - request < 16) throw malformed('error without the header of its request');
  const repeated = message.flags & NLM_F_CAPPED ? 16 : message.view.getUint32(request, true);
  return Math.min(message.end, request + ((repeated + 3) & ~3));
}
