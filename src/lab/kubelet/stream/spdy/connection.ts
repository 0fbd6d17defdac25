import type { Duplex } from 'node:stream';
import { HeaderDeflater, HeaderInflater } from '#lab/kubelet/stream/spdy/header-zlib.ts';
import { type SpdyLink, SpdyStream } from '#lab/kubelet/stream/spdy/stream.ts';
import { FrameDecoder } from '#wire/spdy/decode.ts';
import { encodeDataHeader, encodeFrame } from '#wire/spdy/encode.ts';
import {
  type DataFrame,
  type Frame,
  GOAWAY_STATUS,
  RST_STATUS,
  SETTINGS_INITIAL_WINDOW_SIZE,
  type SettingsFrame,
  type SynStreamFrame,
} from '#wire/spdy/frames.ts';
import { decodeHeaders, encodeHeaders } from '#wire/spdy/headers.ts';
import { ReceiveCredit, SendWindows } from '#wire/spdy/window.ts';

/** Streams that one client may have open at a time; two for each forwarded connection. */
const MAX_STREAMS = 4096;

export interface SpdyOptions {
  /** How often the client is pinged, ms. */
  readonly pingInterval?: number;
}

/** How long a client may take to read why it is sent away, ms. */
const FAREWELL = 1000;

/**
 * The server's end of a SPDY/3.1 connection (SPDY Protocol Draft 3.1): accepts the client's streams, over a socket or
 * over anything else that carries bytes. Each stream is answered at once and handed to `onStream`.
 *
 * Back-pressure: what a stream sends waits for the transport; what it receives waits for its reader, and with it, as
 * clients know no windows, the whole connection.
 */
export class SpdyConnection implements SpdyLink {
  /** Resolves when the connection is over and all its streams are closed. */
  readonly closed: Promise<void>;
  readonly #transport: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #inflater = new HeaderInflater();
  readonly #deflater = new HeaderDeflater();
  readonly #windows = new SendWindows();
  readonly #sessionCredit = new ReceiveCredit();
  readonly #credits = new Map<number, ReceiveCredit>();
  readonly #blocked = new Set<() => void>();
  #lastStream = 0;
  #lastPing = 0;
  #goneAway = false;

  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void, options: SpdyOptions = {}) {
    this.#transport = transport;
    this.#onStream = onStream;
    transport.on('error', () => undefined);
    transport.once('close', () => this.#abandonStreams());
    this.closed = this.#run(options.pingInterval ?? 15_000);
  }

  /** Ends the connection at once; streams that are not finished are destroyed. */
  destroy(): void {
    this.#transport.destroy();
  }

  sendData(stream: SpdyStream, data: Uint8Array, fin: boolean, done: (error?: Error | null) => void): void {
    if (this.#transport.destroyed) {
      done(new Error('Cannot write to a SPDY stream: the connection is closed'));
      return;
    }
    const size = this.#windows.take(stream.id, data.length);
    if (size === 0 && data.length > 0) {
      this.#blocked.add(() => this.sendData(stream, data, fin, done));
      return;
    }
    const last = size === data.length;
    const next = last ? done : () => this.sendData(stream, data.subarray(size), fin, done);
    this.#transport.cork();
    this.#transport.write(encodeDataHeader(stream.id, fin && last, size), size === 0 ? next : undefined);
    if (size > 0) this.#transport.write(data.subarray(0, size), next);
    this.#transport.uncork();
  }

  release(stream: SpdyStream, cancel: boolean): void {
    if (cancel) this.#send({ kind: 'rst-stream', stream: stream.id, status: RST_STATUS.cancel });
    this.#streams.delete(stream.id);
    this.#credits.delete(stream.id);
    this.#windows.close(stream.id);
    if (this.#goneAway && this.#streams.size === 0) this.#transport.end();
  }

  async #run(pingInterval: number): Promise<void> {
    const pings = setInterval(() => this.#ping(), pingInterval).unref();
    try {
      await this.#read();
    } catch {
      // Either the transport broke, or the client does not speak SPDY: it is told so, if it still listens.
      await this.#sendAway();
    } finally {
      clearInterval(pings);
      this.#transport.destroy();
      this.#abandonStreams();
    }
  }

  async #sendAway(): Promise<void> {
    if (this.#transport.destroyed || this.#transport.writableEnded) return;
    const frame = encodeFrame({ kind: 'goaway', lastStream: this.#lastStream, status: GOAWAY_STATUS.protocolError });
    await new Promise<void>((resolve) => {
      setTimeout(resolve, FAREWELL).unref();
      this.#transport.once('close', resolve).end(frame, resolve);
    });
  }

  #abandonStreams(): void {
    for (const stream of [...this.#streams.values()]) stream.abandon();
    this.#unblock();
  }

  async #read(): Promise<void> {
    const decoder = new FrameDecoder();
    for await (const chunk of this.#transport.iterator({ destroyOnReturn: false })) {
      for (const frame of decoder.push(chunk)) {
        const slow = this.#take(frame);
        if (slow !== undefined) await slow;
      }
    }
  }

  #take(frame: Frame): Promise<void> | undefined {
    switch (frame.kind) {
      case 'data':
        return this.#takeData(frame);
      case 'syn-stream':
        return this.#takeStream(frame);
      case 'syn-reply':
      case 'headers':
        // Means nothing here, but the zlib stream goes through it.
        this.#inflater.inflate(frame.block);
        return undefined;
      case 'rst-stream':
        this.#streams.get(frame.stream)?.abandon();
        return undefined;
      case 'settings':
        return this.#takeSettings(frame);
      case 'window-update':
        this.#windows.update(frame.stream, frame.delta);
        return this.#unblock();
      case 'ping':
        if (frame.id % 2 === 1) this.#send(frame);
        return undefined;
      case 'goaway':
        return this.#takeGoaway();
      case 'unknown':
        return undefined;
    }
  }

  #takeStream(frame: SynStreamFrame): undefined {
    const headers = decodeHeaders(this.#inflater.inflate(frame.block));
    const fresh = frame.stream > this.#lastStream && frame.stream % 2 === 1 && !frame.unidirectional;
    if (!fresh) return this.#reset(frame.stream, RST_STATUS.protocolError);
    this.#lastStream = frame.stream;
    if (this.#streams.size >= MAX_STREAMS || this.#goneAway) return this.#reset(frame.stream, RST_STATUS.refusedStream);
    const stream = new SpdyStream(frame.stream, headers, this);
    this.#streams.set(stream.id, stream);
    this.#windows.open(stream.id);
    this.#credits.set(stream.id, new ReceiveCredit());
    const block = this.#deflater.deflate(encodeHeaders(new Map()));
    this.#send({ kind: 'syn-reply', stream: stream.id, fin: false, block });
    if (frame.fin) stream.deliver(new Uint8Array(0), true);
    this.#onStream(stream);
    return undefined;
  }

  #takeData(frame: DataFrame): Promise<void> | undefined {
    this.#credit(0, this.#sessionCredit, frame.data.length);
    const stream = this.#streams.get(frame.stream);
    if (stream === undefined) {
      // Data for a stream that was just closed crosses our FIN or RST: not an error.
      return frame.stream > this.#lastStream ? this.#reset(frame.stream, RST_STATUS.invalidStream) : undefined;
    }
    if (stream.fed) return this.#reset(stream.id, RST_STATUS.streamAlreadyClosed);
    const slow = stream.deliver(frame.data, frame.fin);
    const credit = this.#credits.get(stream.id);
    if (credit === undefined || frame.fin) return slow;
    if (slow === undefined) return this.#credit(stream.id, credit, frame.data.length);
    return slow.then(() => this.#credit(stream.id, credit, frame.data.length));
  }

  #credit(stream: number, credit: ReceiveCredit, bytes: number): undefined {
    const delta = credit.consume(bytes);
    if (delta > 0) this.#send({ kind: 'window-update', stream, delta });
    return undefined;
  }

  #takeSettings(frame: SettingsFrame): undefined {
    const window = frame.entries.find((entry) => entry.id === SETTINGS_INITIAL_WINDOW_SIZE);
    if (window === undefined) return undefined;
    this.#windows.setInitial(window.value);
    return this.#unblock();
  }

  #takeGoaway(): undefined {
    this.#goneAway = true;
    if (this.#streams.size === 0) this.#transport.end();
    return undefined;
  }

  /** Lets the writers that waited for a window try again. */
  #unblock(): undefined {
    const writers = [...this.#blocked];
    this.#blocked.clear();
    for (const write of writers) write();
    return undefined;
  }

  #reset(stream: number, status: number): undefined {
    this.#send({ kind: 'rst-stream', stream, status });
    this.#streams.get(stream)?.abandon();
    return undefined;
  }

  /**
   * A client that is gone is found out by the error that writing brings, also while we do not read. No answer is waited
   * for: a kubectl that was suspended may come back after an hour.
   */
  #ping(): void {
    this.#lastPing += 2;
    this.#send({ kind: 'ping', id: this.#lastPing });
  }

  #send(frame: Frame): void {
    if (!this.#transport.destroyed && !this.#transport.writableEnded) this.#transport.write(encodeFrame(frame));
  }
}
