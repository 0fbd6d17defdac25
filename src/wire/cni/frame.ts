/**
 * What native/cni-shim.c and the agent say to each other over the unix socket.
 *
 *   request:  "PCN1", u32 length (big-endian), then NUL-ended strings (argv[0], NAME=VALUE…), one empty string, stdin
 *   answer:   "PCN1", u32 length, one byte exit status, standard output
 */

import { PolderError } from '#spec/errors.ts';
import type { Environment } from '#wire/cni/request.ts';

/** "PCN1" */
const MAGIC = [0x50, 0x43, 0x4e, 0x31] as const;
const HEADER = 8;

const decoder = new TextDecoder(undefined, { ignoreBOM: true });
const encoder = new TextEncoder();

/** Exit status of an answer by which a worker without an agent says: not by me, run the plugin by yourself. */
export const RUN_BY_YOURSELF = 255;

/** Standard input may have 4 MB, the environment 256 kB (native/cni-shim.c has the same numbers). */
const LARGEST = (4 << 20) + (256 << 10);

export interface ShimCall {
  readonly argv0: string;
  /** Only CNI_* variables. */
  readonly env: Environment;
  readonly stdin: string;
}

/** Bytes of a whole request, once the header is there; undefined while it is not. @throws PolderError cni-decode. */
export function frameLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER) return undefined;
  if (!MAGIC.every((byte, i) => bytes[i] === byte))
    throw new PolderError('cni-decode', { what: 'Not a request of the CNI shim' });
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
  if (length > LARGEST) throw new PolderError('cni-decode', { what: `A request of ${length} bytes is too large` });
  return HEADER + length;
}

/** @throws PolderError cni-decode unless it is one whole request. */
export function decodeCall(frame: Uint8Array): ShimCall {
  if (frameLength(frame) !== frame.length)
    throw new PolderError('cni-decode', { what: 'The CNI request is cut short' });
  const body = decoder.decode(frame.subarray(HEADER));
  // One NUL ends the last string, another is the empty string behind it. argv[0] may be empty, too.
  const end = body.indexOf('\0\0');
  if (end < 0) throw new PolderError('cni-decode', { what: 'The CNI request has no end of its environment' });
  const [argv0 = '', ...pairs] = body.slice(0, end).split('\0');
  return { argv0, env: Object.fromEntries(pairs.map(split)), stdin: withoutMark(body.slice(end + 2)) };
}

/** Some editors begin a file with a byte order mark. */
function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

function split(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}

/** The same bytes as the shim sends: for tests and for callers without the shim. */
export function encodeCall(call: ShimCall): Uint8Array {
  const pairs = Object.entries(call.env).map(([name, value]) => `${name}=${value ?? ''}`);
  return frame(encoder.encode(`${[call.argv0, ...pairs].join('\0')}\0\0${call.stdin}`));
}

export function encodeAnswer(exit: number, stdout: string): Uint8Array {
  const body = encoder.encode(`\0${stdout}`);
  body[0] = exit;
  return frame(body);
}

function frame(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER + body.length);
  out.set(MAGIC);
  new DataView(out.buffer).setUint32(4, body.length);
  out.set(body, HEADER);
  return out;
}
