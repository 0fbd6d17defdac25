/** A DHCP message as bytes and as a value (RFC 2131 §2, RFC 2132 §2 and §9.3, RFC 3396). */

import { type Addr, addrBytes, addrFromBytes } from '#net/addr.ts';
import { type Mac, macBytes, macFromBytes } from '#net/mac.ts';

export interface DhcpMessage {
  /** Requests go to servers, replies to clients. */
  readonly op: 'request' | 'reply';
  /** 32 bits, the client's choice: an answer has the same. */
  readonly xid: number;
  /** Since the client began, seconds; 16 bits. */
  readonly secs: number;
  /** The client cannot hear an answer that goes to an address which it does not have yet. */
  readonly broadcast: boolean;
  /** The client's own, if it may use it already; else 0.0.0.0, as the other three. */
  readonly ciaddr: Addr;
  /** What the client is given. */
  readonly yiaddr: Addr;
  readonly siaddr: Addr;
  /** The relay's. */
  readonly giaddr: Addr;
  readonly chaddr: Mac;
  /** By code, 1 to 254. */
  readonly options: ReadonlyMap<number, Uint8Array>;
}

/** Bytes before the options, the magic cookie among them. */
const FIXED = 240;
const COOKIE = 0x63825363;
/** Relays of BOOTP drop what is shorter (RFC 1542 §2.1). */
const SHORTEST = 300;
const HTYPE_ETHERNET = 1;
const BROADCAST_BIT = 0x8000;
const SNAME = { from: 44, to: 108 } as const;
const FILE = { from: 108, to: 236 } as const;
const PAD = 0;
const END = 255;
/** Says that `file` (1), `sname` (2) or both (3) hold options, too (RFC 2132 §9.3). */
const OVERLOAD = 52;
const LONGEST_OPTION = 255;

/** @throws RangeError for an option whose code is no option's. */
export function encodeMessage(message: DhcpMessage): Uint8Array {
  const options = [...message.options].flatMap(([code, value]) => encodeOption(code, value));
  const bytes = new Uint8Array(Math.max(SHORTEST, FIXED + options.length + 1));
  const view = new DataView(bytes.buffer);
  bytes.set([message.op === 'request' ? 1 : 2, HTYPE_ETHERNET, 6, 0]);
  view.setUint32(4, message.xid);
  view.setUint16(8, message.secs);
  view.setUint16(10, message.broadcast ? BROADCAST_BIT : 0);
  bytes.set(addrBytes(message.ciaddr), 12);
  bytes.set(addrBytes(message.yiaddr), 16);
  bytes.set(addrBytes(message.siaddr), 20);
  bytes.set(addrBytes(message.giaddr), 24);
  bytes.set(macBytes(message.chaddr), 28);
  view.setUint32(236, COOKIE);
  bytes.set(options, FIXED);
  bytes[FIXED + options.length] = END;
  return bytes;
}

/** One that is too long stands in several pieces, which the reader puts together again (RFC 3396 §5). */
function encodeOption(code: number, value: Uint8Array): number[] {
  if (!Number.isInteger(code) || code <= PAD || code >= END) throw new RangeError(`Cannot encode DHCP option ${code}`);
  const pieces: number[] = [];
  let at = 0;
  do {
    const piece = value.subarray(at, at + LONGEST_OPTION);
    pieces.push(code, piece.length, ...piece);
    at += LONGEST_OPTION;
  } while (at < value.length);
  return pieces;
}

/** Undefined unless it is a whole message of a client or server on Ethernet: anybody may send to the port. */
export function decodeMessage(bytes: Uint8Array): DhcpMessage | undefined {
  if (bytes.length < FIXED) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const op = bytes[0];
  const ethernet = bytes[1] === HTYPE_ETHERNET && bytes[2] === 6;
  if ((op !== 1 && op !== 2) || !ethernet || view.getUint32(236) !== COOKIE) return undefined;
  const options = decodeOptions(bytes);
  return (
    options && {
      op: op === 1 ? 'request' : 'reply',
      xid: view.getUint32(4),
      secs: view.getUint16(8),
      broadcast: (view.getUint16(10) & BROADCAST_BIT) !== 0,
      ciaddr: addrAt(bytes, 12),
      yiaddr: addrAt(bytes, 16),
      siaddr: addrAt(bytes, 20),
      giaddr: addrAt(bytes, 24),
      chaddr: macFromBytes(bytes.subarray(28, 34)),
      options,
    }
  );
}

function addrAt(bytes: Uint8Array, at: number): Addr {
  return addrFromBytes(bytes.subarray(at, at + 4));
}

/** Also those that stand where `file` and `sname` would, in this order (RFC 2131 §4.1). */
function decodeOptions(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> | undefined {
  const parts = new Map<number, number[]>();
  if (!collect(bytes.subarray(FIXED), parts)) return undefined;
  const overload = parts.get(OVERLOAD)?.[0] ?? 0;
  parts.delete(OVERLOAD);
  const fields = [...(overload & 1 ? [FILE] : []), ...(overload & 2 ? [SNAME] : [])];
  const whole = fields.every(({ from, to }) => collect(bytes.subarray(from, to), parts));
  parts.delete(OVERLOAD);
  return whole ? new Map([...parts].map(([code, value]) => [code, Uint8Array.from(value)])) : undefined;
}

/** Adds what stands in the field. False if an option goes beyond its end; a missing end mark is forgiven. */
function collect(field: Uint8Array, parts: Map<number, number[]>): boolean {
  let at = 0;
  for (;;) {
    const code = field[at++];
    if (code === undefined || code === END) return true;
    if (code === PAD) continue;
    const length = field[at++];
    if (length === undefined || at + length > field.length) return false;
    const before = parts.get(code) ?? [];
    parts.set(code, [...before, ...field.subarray(at, at + length)]);
    at += length;
  }
}
