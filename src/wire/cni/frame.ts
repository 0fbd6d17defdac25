/**
 * What native/cni-shim.c and the agent say to each other over the unix socket.
 *
 *   request:  "PCN1", u32 length (big-endian), then NUL-ended strings (argv[0], NAME=VALUE…), one empty string, stdin;
 *             beside its first bytes a descriptor of the caller's root directory
 *   answer:   "PCN1", u32 length, one byte exit status, standard output
 */

import { PolderError } from '#spec/errors.ts';
import type { Environment } from '#wire/cni/request.ts';

const MAGIC = 'PCN1';
/** The same, as a number in network byte order. */
const MAGIC_NUMBER = 0x50434e31;
const HEADER = 8;
/** Magic, and room for the length. */
const HEAD = `${MAGIC}\0\0\0\0`;

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
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(0) !== MAGIC_NUMBER)
    throw new PolderError('cni-decode', { what: 'Not a request of the CNI shim' });
  const length = view.getUint32(4);
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
  const first = body.indexOf('\0');
  return { argv0: body.slice(0, first), env: readEnv(body, first + 1, end), stdin: withoutMark(body.slice(end + 2)) };
}

/** The strings from `from` on; `to` is the NUL that ends the last. */
function readEnv(text: string, from: number, to: number): Environment {
  const env: Record<string, string> = {};
  for (let at = from; at < to; ) {
    const end = text.indexOf('\0', at);
    const pair = text.slice(at, end);
    const equals = pair.indexOf('=');
    if (equals < 0) env[pair] = '';
    else env[pair.slice(0, equals)] = pair.slice(equals + 1);
    at = end + 1;
  }
  return env;
}

/** Some editors begin a file with a byte order mark. */
function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/** The same bytes as the shim sends: for tests and for callers without the shim. */
export function encodeCall(call: ShimCall): Uint8Array {
  const pairs = Object.entries(call.env).map(([name, value]) => `${name}=${value ?? ''}`);
  return framed(`${HEAD}${[call.argv0, ...pairs].join('\0')}\0\0${call.stdin}`);
}

export function encodeAnswer(exit: number, stdout: string): Uint8Array {
  const out = framed(`${HEAD}\0${stdout}`);
  out[HEADER] = exit;
  return out;
}

/** @param text the whole frame, with no length yet */
function framed(text: string): Uint8Array {
  const out = encoder.encode(text);
  new DataView(out.buffer, out.byteOffset).setUint32(MAGIC.length, out.length - HEADER);
  return out;
}
