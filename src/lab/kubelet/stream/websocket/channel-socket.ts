import { Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { ChannelProtocol } from '#lab/kubelet/stream/websocket/protocols.ts';

/** Channel of version 5 whose messages close another. */
const CLOSE_CHANNEL = 255;

/**
 * The channels of a Kubernetes WebSocket as streams: each message begins with its channel's number. Messages for
 * channels that nobody reads are dropped. A channel whose reader is slow holds back the connection.
 */
export class ChannelSocket {
  readonly #socket: WebSocket;
  readonly #protocol: ChannelProtocol;
  readonly #inputs = new Map<number, Readable>();
  readonly #full = new Set<number>();

  constructor(socket: WebSocket, protocol: ChannelProtocol) {
    this.#socket = socket;
    this.#protocol = protocol;
    socket.on('message', (data) => this.#take(toBuffer(data)));
  }

  /** What the client sends on `channel`; ends by the close signal, is destroyed with the connection. */
  input(channel: number): Readable {
    const input = new Readable({ read: () => this.#relieve(channel) });
    input.on('error', () => undefined).once('close', () => this.#relieve(channel));
    this.#socket.once('close', () => input.destroy());
    this.#inputs.set(channel, input);
    return input;
  }

  /** Sends what is written on `channel`, one message for each chunk; `final` is what to do at its end. */
  output(channel: number): Writable {
    const output = new Writable({
      write: (chunk: Uint8Array, _encoding, done) => this.send(channel, chunk, done),
    });
    output.on('error', () => undefined);
    this.#socket.once('close', () => output.destroy());
    return output;
  }

  /** One message; `done` is called when the transport has taken it. */
  send(channel: number, bytes: Uint8Array, done?: (error?: Error | null) => void): void {
    const message = this.#protocol.base64
      ? `${channel}${Buffer.from(bytes).toString('base64')}`
      : Buffer.concat([Uint8Array.of(channel), bytes]);
    this.#socket.send(message, (error) => done?.(error));
  }

  /** A normal close, after everything that was sent. */
  close(): void {
    this.#socket.close(1000);
  }

  #take(message: Buffer): void {
    if (message.length === 0) return;
    const first = message[0] ?? 0;
    if (this.#protocol.closeSignal && first === CLOSE_CHANNEL) {
      this.#inputs.get(message[1] ?? 0)?.push(null);
      return;
    }
    const channel = this.#protocol.base64 ? first - 0x30 : first;
    this.#deliver(channel, this.#protocol.base64 ? fromBase64(message) : message.subarray(1));
  }

  #deliver(channel: number, bytes: Buffer): void {
    const input = this.#inputs.get(channel);
    if (input === undefined || input.destroyed || bytes.length === 0) return;
    if (input.push(bytes)) return;
    this.#full.add(channel);
    this.#socket.pause();
  }

  #relieve(channel: number): void {
    if (this.#full.delete(channel) && this.#full.size === 0) this.#socket.resume();
  }
}

function fromBase64(message: Buffer): Buffer {
  return Buffer.from(message.toString('latin1', 1), 'base64');
}

/** `ws` gives a Buffer as long as nobody asks it for another kind. */
export function toBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
}
