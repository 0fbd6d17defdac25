/**
 * The frames of SPDY/3.1 as values (SPDY Protocol Draft 3.1 §2.2, §2.6). Header blocks stay compressed here: their
 * zlib stream spans the connection, so that whoever owns the connection owns the (de)compressor too.
 */
export type Frame =
  | DataFrame
  | SynStreamFrame
  | SynReplyFrame
  | RstStreamFrame
  | SettingsFrame
  | PingFrame
  | GoawayFrame
  | HeadersFrame
  | WindowUpdateFrame
  | UnknownFrame;

/** A piece of a stream. The decoder may hand out one frame of the sender as several, `fin` on the last. */
export interface DataFrame {
  readonly kind: 'data';
  readonly stream: number;
  readonly fin: boolean;
  readonly data: Uint8Array;
}

export interface SynStreamFrame {
  readonly kind: 'syn-stream';
  readonly stream: number;
  /** Stream that this one belongs to; 0 for none. */
  readonly associated: number;
  /** 0 (highest) to 7. */
  readonly priority: number;
  readonly slot: number;
  readonly fin: boolean;
  readonly unidirectional: boolean;
  /** Name/value header block, compressed. */
  readonly block: Uint8Array;
}

export interface SynReplyFrame {
  readonly kind: 'syn-reply';
  readonly stream: number;
  readonly fin: boolean;
  readonly block: Uint8Array;
}

export interface RstStreamFrame {
  readonly kind: 'rst-stream';
  readonly stream: number;
  readonly status: number;
}

export interface Setting {
  readonly id: number;
  readonly flags: number;
  readonly value: number;
}

export interface SettingsFrame {
  readonly kind: 'settings';
  /** The receiver forgets what it kept of earlier settings. */
  readonly clear: boolean;
  readonly entries: readonly Setting[];
}

export interface PingFrame {
  readonly kind: 'ping';
  /** Odd from a client, even from a server; the answer carries it back. */
  readonly id: number;
}

export interface GoawayFrame {
  readonly kind: 'goaway';
  readonly lastStream: number;
  readonly status: number;
}

export interface HeadersFrame {
  readonly kind: 'headers';
  readonly stream: number;
  readonly fin: boolean;
  readonly block: Uint8Array;
}

export interface WindowUpdateFrame {
  readonly kind: 'window-update';
  /** 0: the window of the whole session. */
  readonly stream: number;
  /** 1 to 2^31-1 bytes. */
  readonly delta: number;
}

/** A control frame of a type that 3.1 does not define: to be skipped (§2.2.1). */
export interface UnknownFrame {
  readonly kind: 'unknown';
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

/** Type numbers of the control frames. */
export const CONTROL_TYPE = {
  'syn-stream': 1,
  'syn-reply': 2,
  'rst-stream': 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  'window-update': 9,
} as const satisfies Partial<Record<Frame['kind'], number>>;

export const SPDY_VERSION = 3;

export const FLAG_FIN = 0x01;
export const FLAG_UNIDIRECTIONAL = 0x02;
export const FLAG_CLEAR_SETTINGS = 0x01;

/** Largest payload of any frame: its length has 24 bits. */
export const MAX_PAYLOAD = 0xff_ffff;

/** Status codes of RST_STREAM (§2.6.3). */
export const RST_STATUS = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  unsupportedVersion: 4,
  cancel: 5,
  internalError: 6,
  flowControlError: 7,
  streamInUse: 8,
  streamAlreadyClosed: 9,
  frameTooLarge: 11,
} as const;

/** Status codes of GOAWAY (§2.6.6). */
export const GOAWAY_STATUS = { ok: 0, protocolError: 1, internalError: 2 } as const;

/** Setting that gives the window of new streams (§2.6.4). */
export const SETTINGS_INITIAL_WINDOW_SIZE = 7;

/** Bytes that a stream and the session may have on the way until told otherwise (§2.6.8). */
export const DEFAULT_WINDOW = 64 * 1024;
