import {
  CONTROL_TYPE,
  FLAG_CLEAR_SETTINGS,
  FLAG_FIN,
  FLAG_UNIDIRECTIONAL,
  type Frame,
  MAX_PAYLOAD,
  SPDY_VERSION,
  type SynStreamFrame,
} from '#wire/spdy/frames.ts';

/**
 * One frame as bytes (SPDY Protocol Draft 3.1 §2.2).
 *
 * @throws RangeError when the payload does not fit into the frame's 24-bit length.
 */
export function encodeFrame(frame: Frame): Uint8Array {
  if (frame.kind === 'data') return concat(encodeDataHeader(frame.stream, frame.fin, frame.data.length), frame.data);
  const { type, flags, words, tail } = control(frame);
  return concat(controlHeader(type, flags, words.length * 4 + tail.length), be32(words), tail);
}

/**
 * The eight bytes in front of a data frame's payload: a sender with the payload at hand need not copy it.
 *
 * @throws RangeError when `length` is beyond 2^24-1 bytes.
 */
export function encodeDataHeader(stream: number, fin: boolean, length: number): Uint8Array {
  return be32([stream & 0x7fff_ffff, ((fin ? FLAG_FIN : 0) << 24) | checkedLength(length)]);
}

interface Control {
  readonly type: number;
  readonly flags: number;
  readonly words: readonly number[];
  readonly tail: Uint8Array;
}

const NOTHING = new Uint8Array(0);

function control(frame: Exclude<Frame, { kind: 'data' }>): Control {
  switch (frame.kind) {
    case 'syn-stream':
      return synStream(frame);
    case 'syn-reply':
    case 'headers':
      return { type: CONTROL_TYPE[frame.kind], flags: fin(frame.fin), words: [frame.stream], tail: frame.block };
    case 'rst-stream':
      return fixed(CONTROL_TYPE[frame.kind], [frame.stream, frame.status]);
    case 'settings': {
      const words = frame.entries.flatMap((entry) => [(entry.flags << 24) | (entry.id & 0xff_ffff), entry.value]);
      return { ...fixed(CONTROL_TYPE.settings, [frame.entries.length, ...words]), flags: clear(frame.clear) };
    }
    case 'ping':
      return fixed(CONTROL_TYPE.ping, [frame.id]);
    case 'goaway':
      return fixed(CONTROL_TYPE.goaway, [frame.lastStream, frame.status]);
    case 'window-update':
      return fixed(CONTROL_TYPE[frame.kind], [frame.stream, frame.delta]);
    case 'unknown':
      return { type: frame.type, flags: frame.flags, words: [], tail: frame.payload };
  }
}

function synStream(frame: SynStreamFrame): Control {
  const flags = fin(frame.fin) | (frame.unidirectional ? FLAG_UNIDIRECTIONAL : 0);
  const tail = concat(new Uint8Array([frame.priority << 5, frame.slot]), frame.block);
  return { type: CONTROL_TYPE['syn-stream'], flags, words: [frame.stream, frame.associated], tail };
}

function fixed(type: number, words: readonly number[]): Control {
  return { type, flags: 0, words, tail: NOTHING };
}

function fin(set: boolean): number {
  return set ? FLAG_FIN : 0;
}

function clear(set: boolean): number {
  return set ? FLAG_CLEAR_SETTINGS : 0;
}

function controlHeader(type: number, flags: number, length: number): Uint8Array {
  return be32([((0x8000 | SPDY_VERSION) << 16) | type, (flags << 24) | checkedLength(length)]);
}

function checkedLength(length: number): number {
  if (length > MAX_PAYLOAD)
    throw new RangeError(`Cannot encode a SPDY frame of ${length} bytes: at most ${MAX_PAYLOAD}`);
  return length;
}

function be32(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint32(index * 4, word >>> 0);
  return bytes;
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
