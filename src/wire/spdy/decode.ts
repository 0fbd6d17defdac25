import {
  CONTROL_TYPE,
  FLAG_CLEAR_SETTINGS,
  FLAG_FIN,
  FLAG_UNIDIRECTIONAL,
  type Frame,
  type Setting,
  SPDY_VERSION,
} from '#wire/spdy/frames.ts';

/** Control frames beyond this many bytes are refused before they are gathered. */
export const MAX_CONTROL_PAYLOAD = 32 * 1024;

const HEADER_SIZE = 8;

/**
 * Takes the bytes of a connection as they come and gives its frames. It keeps at most one control frame's bytes; data
 * is passed on in the pieces in which it arrives, so that a frame of 16 MB costs no memory.
 *
 * @throws SyntaxError in `push` for bytes that are no SPDY/3 frame, RangeError for a control frame that is too long.
 * After an error the connection has lost its place: it must be closed.
 */
export class FrameDecoder {
  readonly #gathered = new Uint8Array(HEADER_SIZE + MAX_CONTROL_PAYLOAD);
  #have = 0;
  #data: { stream: number; fin: boolean; left: number } | undefined;

  /** The frames that `bytes` completes, lazily: a slow consumer may stop between two of them. */
  *push(bytes: Uint8Array): Generator<Frame, void> {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#data === undefined) rest = this.#gather(rest);
      else {
        const piece = rest.subarray(0, this.#data.left);
        rest = rest.subarray(piece.length);
        yield this.#dataPiece(this.#data, piece);
        continue;
      }
      const frame = this.#complete();
      if (frame !== undefined) yield frame;
    }
  }

  #dataPiece(state: { stream: number; fin: boolean; left: number }, data: Uint8Array): Frame {
    state.left -= data.length;
    if (state.left > 0) return { kind: 'data', stream: state.stream, fin: false, data };
    this.#data = undefined;
    return { kind: 'data', stream: state.stream, fin: state.fin, data };
  }

  /** Takes what is still missing of the header, then of the control payload; returns what is left over. */
  #gather(bytes: Uint8Array): Uint8Array {
    const wanted = this.#have < HEADER_SIZE ? HEADER_SIZE : HEADER_SIZE + this.#length();
    const taken = bytes.subarray(0, wanted - this.#have);
    this.#gathered.set(taken, this.#have);
    this.#have += taken.length;
    return bytes.subarray(taken.length);
  }

  #complete(): Frame | undefined {
    if (this.#have < HEADER_SIZE) return undefined;
    const length = this.#length();
    if (!this.#isControl()) return this.#startData(length);
    if (length > MAX_CONTROL_PAYLOAD) {
      throw new RangeError(`Cannot take a SPDY control frame of ${length} bytes: at most ${MAX_CONTROL_PAYLOAD}`);
    }
    if (this.#have < HEADER_SIZE + length) return undefined;
    this.#have = 0;
    return decodeControl(this.#gathered.slice(0, HEADER_SIZE + length));
  }

  #startData(length: number): Frame | undefined {
    const stream = view(this.#gathered).getUint32(0);
    const fin = ((this.#gathered[4] ?? 0) & FLAG_FIN) !== 0;
    this.#have = 0;
    if (length === 0) return { kind: 'data', stream, fin, data: new Uint8Array(0) };
    this.#data = { stream, fin, left: length };
    return undefined;
  }

  #isControl(): boolean {
    return ((this.#gathered[0] ?? 0) & 0x80) !== 0;
  }

  #length(): number {
    return view(this.#gathered).getUint32(4) & 0xff_ffff;
  }
}

function decodeControl(bytes: Uint8Array): Frame {
  const head = view(bytes);
  const version = head.getUint16(0) & 0x7fff;
  if (version !== SPDY_VERSION)
    throw new SyntaxError(`Cannot read a SPDY frame of version ${version}: 3 is spoken here`);
  const payload = bytes.subarray(HEADER_SIZE);
  return decodePayload(head.getUint16(2), head.getUint8(4), payload);
}

function decodePayload(type: number, flags: number, payload: Uint8Array): Frame {
  const fin = (flags & FLAG_FIN) !== 0;
  switch (type) {
    case CONTROL_TYPE['syn-stream']:
      return decodeSynStream(flags, payload);
    case CONTROL_TYPE['syn-reply']:
      return { kind: 'syn-reply', stream: id(payload, 'SYN_REPLY'), fin, block: payload.subarray(4) };
    case CONTROL_TYPE.headers:
      return { kind: 'headers', stream: id(payload, 'HEADERS'), fin, block: payload.subarray(4) };
    case CONTROL_TYPE['rst-stream']:
      return { kind: 'rst-stream', stream: id(payload, 'RST_STREAM', 8), status: word(payload, 4) };
    case CONTROL_TYPE.settings:
      return { kind: 'settings', clear: (flags & FLAG_CLEAR_SETTINGS) !== 0, entries: decodeSettings(payload) };
    case CONTROL_TYPE.ping:
      return { kind: 'ping', id: word(exactly(payload, 4, 'PING'), 0) };
    case CONTROL_TYPE.goaway:
      return { kind: 'goaway', lastStream: id(payload, 'GOAWAY', 8), status: word(payload, 4) };
    case CONTROL_TYPE['window-update']:
      return { kind: 'window-update', stream: id(payload, 'WINDOW_UPDATE', 8), delta: word(payload, 4) & 0x7fff_ffff };
    default:
      return { kind: 'unknown', type, flags, payload };
  }
}

function decodeSynStream(flags: number, payload: Uint8Array): Frame {
  const stream = id(payload, 'SYN_STREAM');
  if (payload.length < 10) throw new SyntaxError(`Cannot read SYN_STREAM: ${payload.length} bytes of at least 10`);
  return {
    kind: 'syn-stream',
    stream,
    associated: word(payload, 4) & 0x7fff_ffff,
    priority: (payload[8] ?? 0) >> 5,
    slot: payload[9] ?? 0,
    fin: (flags & FLAG_FIN) !== 0,
    unidirectional: (flags & FLAG_UNIDIRECTIONAL) !== 0,
    block: payload.subarray(10),
  };
}

function decodeSettings(payload: Uint8Array): readonly Setting[] {
  if (payload.length < 4) throw new SyntaxError(`Cannot read SETTINGS: ${payload.length} bytes of at least 4`);
  const count = word(payload, 0);
  exactly(payload, 4 + count * 8, 'SETTINGS');
  return Array.from({ length: count }, (_, index) => {
    const tagged = word(payload, 4 + index * 8);
    return { flags: tagged >>> 24, id: tagged & 0xff_ffff, value: word(payload, 8 + index * 8) };
  });
}

/** The stream's number that a payload begins with; `size`, where the frame has one, is the payload's exact length. */
function id(payload: Uint8Array, name: string, size?: number): number {
  if (size !== undefined) exactly(payload, size, name);
  if (payload.length < 4) throw new SyntaxError(`Cannot read ${name}: ${payload.length} bytes of at least 4`);
  return word(payload, 0) & 0x7fff_ffff;
}

function exactly(payload: Uint8Array, size: number, name: string): Uint8Array {
  if (payload.length !== size) throw new SyntaxError(`Cannot read ${name}: ${payload.length} bytes instead of ${size}`);
  return payload;
}

function word(bytes: Uint8Array, offset: number): number {
  return view(bytes).getUint32(offset);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
