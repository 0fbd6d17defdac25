/**
 * What native/cni-shim.c and the agent say to each other over the unix socket.
 *
 *   request:  "PCN1", u32 length (big-endian), then NUL-ended strings (argv[0], NAME=VALUE…), one empty string, stdin
 *   answer:   "PCN1", u32 length, one byte exit status, standard output
 */

import { PolderError } from '#spec/errors.ts';
import type { Environment } from '#wire/cni/request.ts';

const MAGIC = 'PCN1';
const HEADER = 8;

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
  if (text(bytes.subarray(0, 4)) !== MAGIC)
    throw new PolderError('cni-decode', { what: 'Not a request of the CNI shim' });
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
  if (length > LARGEST) throw new PolderError('cni-decode', { what: `A request of ${length} bytes is too large` });
  return HEADER + length;
}

/** @throws PolderError cni-decode unless it is one whole request. */
export function decodeCall(frame: Uint8Array): ShimCall {
  if (frameLength(frame) !== frame.length)
    throw new PolderError('cni-decode', { what: 'The CNI request is cut short' });
  const end = endOfStrings(frame);
  const [argv0 = '', ...pairs] = text(frame.subarray(HEADER, end)).split('\0');
  // One empty string ends the list, and the last of them its own.
  return { argv0, env: Object.fromEntries(pairs.map(split)), stdin: text(frame.subarray(end + 2)) };
}

/** Where the NUL of the last string is: another follows it. argv[0] may be empty; the list ends with the first empty string after it. */
function endOfStrings(frame: Uint8Array): number {
  let end = frame.indexOf(0, HEADER);
  while (end >= 0 && frame[end + 1] !== 0) end = frame.indexOf(0, end + 1);
  if (end < 0) throw new PolderError('cni-decode', { what: 'The CNI request has no end of its environment' });
  return end;
}

function split(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}

/** The same bytes as the shim sends: for tests and for callers without the shim. */
export function encodeCall(call: ShimCall): Uint8Array {
  const pairs = Object.entries(call.env).map(([name, value]) => `${name}=${value ?? ''}`);
  return frame(new TextEncoder().encode(`${[call.argv0, ...pairs].join('\0')}\0\0${call.stdin}`));
}

export function encodeAnswer(exit: number, stdout: string): Uint8Array {
  const body = new TextEncoder().encode(`\0${stdout}`);
  body[0] = exit;
  return frame(body);
}

function frame(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER + body.length);
  out.set(new TextEncoder().encode(MAGIC));
  new DataView(out.buffer).setUint32(4, body.length);
  out.set(body, HEADER);
  return out;
}

const decoder = new TextDecoder();

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
