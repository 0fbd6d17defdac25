import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import type { Session, StreamBackend } from '#lab/kubelet/stream/backend.ts';
import { startKubelet } from '#lab/kubelet/stream/testing/kubelet.ts';
import { type RawClient, upgrade } from '#lab/kubelet/stream/testing/spdy-client.ts';

/** Sessions and connections that echo; whoever is left at the end would make a test hang. */
function echoes(): { backend: StreamBackend; over(): Promise<unknown> } {
  const ends: Promise<unknown>[] = [];
  const session = async (): Promise<Session> => {
    const pipe = new PassThrough();
    const { promise, resolve } = Promise.withResolvers<{ code: number }>();
    ends.push(promise);
    pipe.once('end', () => resolve({ code: 0 }));
    return { stdin: pipe, stdout: pipe, resize: () => undefined, exit: promise, kill: () => resolve({ code: 137 }) };
  };
  const portForward = async () => {
    const socket = new PassThrough();
    ends.push(new Promise((resolve) => socket.once('close', resolve)));
    return socket;
  };
  return { backend: { exec: session, attach: session, portForward }, over: () => Promise.all(ends) };
}

const stream = fc.integer({ min: 0, max: 12 });
const type = fc.constantFrom('error', 'data', 'stdin', 'stdout', 'stderr', 'resize', 'none');
const u31 = fc.oneof(stream, fc.integer({ min: 0, max: 0x7fff_ffff }));

/** Something that a client may do, in its right mind or not. */
const action: fc.Arbitrary<(client: RawClient) => void> = fc.oneof(
  fc
    .tuple(stream, type, fc.constantFrom('80', '0', 'x'), stream, fc.boolean())
    .map(([id, streamType, port, request, fin]) => (client: RawClient) => {
      client.open(id, { streamType, port, requestID: String(request) }, fin);
    }),
  fc.tuple(stream, fc.uint8Array({ maxLength: 300 }), fc.boolean()).map(([id, data, fin]) => (client: RawClient) => {
    client.data(id, data, fin);
  }),
  fc.tuple(stream, u31).map(([id, status]) => (client: RawClient) => {
    client.send({ kind: 'rst-stream', stream: id, status });
  }),
  fc.tuple(stream, u31).map(([id, delta]) => (client: RawClient) => {
    client.send({ kind: 'window-update', stream: id, delta });
  }),
  u31.map((value) => (client: RawClient) => {
    client.send({ kind: 'settings', clear: false, entries: [{ id: 7, flags: 0, value }] });
  }),
  u31.map((id) => (client: RawClient) => client.send({ kind: 'ping', id })),
  fc.constant((client: RawClient) => client.send({ kind: 'goaway', lastStream: 0, status: 0 })),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => (client: RawClient) => void client.socket.write(bytes)),
);

const TARGETS = [
  ['/exec/default/web/main?command=x&input=1&output=1', 'v4.channel.k8s.io'],
  ['/portForward/default/web', 'portforward.k8s.io'],
] as const;

for (const [target, protocol] of TARGETS) {
  test(`whatever a SPDY client does at ${target}, its sessions end with it`, { timeout: 60_000 }, async () => {
    const { backend, over } = echoes();
    await using kubelet = await startKubelet(backend);
    const run = async (actions: readonly ((client: RawClient) => void)[]) => {
      const client = await upgrade(kubelet, target, protocol);
      for (const act of actions) act(client);
      // What it still sends is read before it goes, as a whole.
      client.socket.end();
      client.socket.resume();
      if (!client.socket.closed) await once(client.socket, 'close');
    };
    await fc.assert(fc.asyncProperty(fc.array(action, { maxLength: 25 }), run), { numRuns: 200 });
    await over();
  });
}

const message = fc
  .tuple(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(255)), fc.uint8Array({ maxLength: 50 }))
  .map(([channel, bytes]) => Buffer.from([channel, ...bytes]));

for (const protocol of ['v5.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io'] as const) {
  test(`whatever a WebSocket client of ${protocol} sends, its session ends with it`, { timeout: 60_000 }, async () => {
    const { backend, over } = echoes();
    await using kubelet = await startKubelet(backend);
    const run = async (messages: readonly Buffer[], text: boolean) => {
      const socket = new WebSocket(kubelet.webSocket(`${TARGETS[0][0]}&tty=1`), [protocol]).on(
        'error',
        () => undefined,
      );
      await once(socket, 'open');
      for (const each of messages) socket.send(each, { binary: !text });
      socket.close();
      await once(socket, 'close');
    };
    await fc.assert(fc.asyncProperty(fc.array(message, { maxLength: 20 }), fc.boolean(), run), { numRuns: 100 });
    await over();
  });
}

test('whatever the tunnel carries, the kubelet lives', { timeout: 60_000 }, async () => {
  const { backend, over } = echoes();
  await using kubelet = await startKubelet(backend);
  const socket = kubelet.connect();
  const headers = ['Host: k', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  headers.push('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io');
  socket.write(`GET /portForward/default/web HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  if (!String(answer).includes('Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io')) throw new Error(String(answer));
  // A masked binary message (mask 0) of bytes that are no SPDY.
  socket.write(Buffer.from([0x82, 0x88, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
  socket.resume();
  await once(socket, 'end');
  socket.destroy();
  await over();
});
