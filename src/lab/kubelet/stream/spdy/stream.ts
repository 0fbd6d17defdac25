import { Duplex } from 'node:stream';
import type { SpdyHeaders } from '#wire/spdy/headers.ts';

/** Bytes that a stream holds for a slow reader before the whole connection waits for it. */
const READ_AHEAD = 256 * 1024;

/** What a stream needs of its connection. */
export interface SpdyLink {
  /** Sends all of `data`; `done` is called when the transport has taken it. */
  sendData(stream: SpdyStream, data: Uint8Array, fin: boolean, done: (error?: Error | null) => void): void;
  /** The stream is over; RST_STREAM is owed when `cancel`. */
  release(stream: SpdyStream, cancel: boolean): void;
}

/** One stream that the client opened. Ending it sends FIN, destroying it resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  /** As the client gave them, names in lower case. */
  readonly headers: SpdyHeaders;
  readonly #link: SpdyLink;
  #wanted: (() => void) | undefined;
  #peerReset = false;
  #fed = false;

  constructor(id: number, headers: SpdyHeaders, link: SpdyLink) {
    super({ allowHalfOpen: true, readableHighWaterMark: READ_AHEAD });
    this.id = id;
    this.headers = headers;
    this.#link = link;
    // A stream that ends before its time is normal: the client went away. Who reads or writes it learns so by `close`.
    this.on('error', () => undefined);
  }

  /** The client has sent its FIN. */
  get fed(): boolean {
    return this.#fed;
  }

  /** Takes data off the wire; a promise when the reader should be waited for. */
  deliver(data: Uint8Array, fin: boolean): Promise<void> | undefined {
    const room = data.length === 0 || this.push(data);
    if (fin) this.#feedEnd();
    if (room || this.destroyed) return undefined;
    return new Promise((resolve) => {
      this.#wanted = resolve;
    });
  }

  #feedEnd(): void {
    this.#fed = true;
    this.push(null);
  }

  /** The client reset the stream, or is gone altogether: nothing is owed to it. */
  abandon(): void {
    this.#peerReset = true;
    this.destroy();
  }

  override _read(): void {
    this.#wanted?.();
    this.#wanted = undefined;
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#link.sendData(this, chunk, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#link.sendData(this, new Uint8Array(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this._read();
    const over = this.readableEnded && this.writableFinished;
    this.#link.release(this, !over && !this.#peerReset);
    done(error);
  }
}
