import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { toBuffer } from '#lab/kubelet/stream/websocket/channel-socket.ts';

/** The bytes inside a WebSocket's binary messages as one stream; ending it is a normal close. */
export class WebSocketDuplex extends Duplex {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on('message', (data) => {
      if (!this.push(toBuffer(data))) socket.pause();
    });
    socket.once('close', () => this.push(null));
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.send(chunk, (error) => done(error));
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.writableFinished) this.#socket.close(1000);
    else this.#socket.terminate();
    done(error);
  }
}
