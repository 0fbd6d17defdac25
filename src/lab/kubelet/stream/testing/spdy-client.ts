import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { HeaderDeflater } from '#lab/kubelet/stream/spdy/header-zlib.ts';
import type { FakeKubelet } from '#lab/kubelet/stream/testing/kubelet.ts';
import { FrameDecoder } from '#wire/spdy/decode.ts';
import { encodeFrame } from '#wire/spdy/encode.ts';
import type { Frame } from '#wire/spdy/frames.ts';
import { encodeHeaders } from '#wire/spdy/headers.ts';

/** For tests: a SPDY client that sends what a test tells it to, also what no real client would. */
export class RawClient {
  readonly frames: Frame[] = [];
  readonly socket: Socket;
  readonly #deflater = new HeaderDeflater();
  readonly #decoder = new FrameDecoder();

  constructor(socket: Socket) {
    this.socket = socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      for (const frame of this.#decoder.push(bytes)) this.frames.push(frame);
      socket.emit('frames');
    });
  }

  open(stream: number, headers: Readonly<Record<string, string>>, fin = false): void {
    const block = this.#deflater.deflate(encodeHeaders(new Map(Object.entries(headers))));
    const rest = { associated: 0, priority: 0, slot: 0, unidirectional: false } as const;
    this.send({ kind: 'syn-stream', stream, fin, block, ...rest });
  }

  send(frame: Frame): void {
    this.socket.write(encodeFrame(frame));
  }

  data(stream: number, data: Uint8Array, fin = false): void {
    this.send({ kind: 'data', stream, fin, data });
  }

  /** What a stream has said so far. */
  text(stream: number): string {
    const parts = this.frames.flatMap((frame) =>
      frame.kind === 'data' && frame.stream === stream ? [frame.data] : [],
    );
    return Buffer.concat(parts).toString();
  }

  async until<K extends Frame['kind']>(
    kind: K,
    fits: (frame: Extract<Frame, { kind: K }>) => boolean = () => true,
  ): Promise<Extract<Frame, { kind: K }>> {
    for (;;) {
      for (const frame of this.frames) if (isKind(frame, kind) && fits(frame)) return frame;
      await once(this.socket, 'frames');
    }
  }
}

function isKind<K extends Frame['kind']>(frame: Frame, kind: K): frame is Extract<Frame, { kind: K }> {
  return frame.kind === kind;
}

/** Upgrades a connection to `target` and gives the client when the kubelet has agreed. */
export async function upgrade(kubelet: FakeKubelet, target: string, protocol: string): Promise<RawClient> {
  const socket = kubelet.connect();
  const headers = ['Host: k', 'Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`];
  socket.write(`POST ${target} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  assert.match(String(answer), /^HTTP\/1\.1 101 [\s\S]*X-Stream-Protocol-Version: .*\r\n\r\n$/);
  return new RawClient(socket);
}
