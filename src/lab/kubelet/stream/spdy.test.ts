import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import type { Session } from '#lab/kubelet/stream/backend.ts';
import { settled, startKubelet } from '#lab/kubelet/stream/testing/kubelet.ts';
import { type RawClient, upgrade } from '#lab/kubelet/stream/testing/spdy-client.ts';
import { DEFAULT_WINDOW, RST_STATUS } from '#wire/spdy/frames.ts';

const EXEC = '/exec/default/web/main?command=x&input=1&output=1';

function openExec(client: RawClient): void {
  client.open(1, { streamType: 'error' });
  client.open(3, { streamType: 'stdin' });
  client.open(5, { streamType: 'stdout' });
}

function session(parts: Partial<Session>): Session {
  return { resize: () => undefined, exit: new Promise(() => undefined), kill: () => undefined, ...parts };
}

test('exec: stdin comes back on stdout, then the status on the error stream, each with its FIN', async () => {
  const pipe = new PassThrough();
  await using kubelet = await startKubelet({
    exec: async () => session({ stdin: pipe, stdout: pipe, exit: once(pipe, 'end').then(() => ({ code: 0 })) }),
  });
  const client = await upgrade(kubelet, EXEC, 'v4.channel.k8s.io, v3.channel.k8s.io');
  openExec(client);
  client.data(3, Buffer.from('hello '));
  client.data(3, Buffer.from('there'), true);
  await client.until('data', (frame) => frame.stream === 1 && frame.fin);
  await client.until('data', (frame) => frame.stream === 5 && frame.fin);
  assert.equal(client.text(5), 'hello there');
  assert.equal(client.text(1), '{"metadata":{},"status":"Success"}');
  assert.equal(client.frames.filter((frame) => frame.kind === 'syn-reply').length, 3);
  client.socket.destroy();
});

test('a client that keeps windows is held to', async () => {
  const stdout = new PassThrough();
  await using kubelet = await startKubelet({ exec: async () => session({ stdout }) });
  const client = await upgrade(kubelet, EXEC, 'v4.channel.k8s.io');
  client.send({ kind: 'settings', clear: false, entries: [{ id: 7, flags: 0, value: 1000 }] });
  openExec(client);
  stdout.write(Buffer.alloc(DEFAULT_WINDOW));
  assert.equal(await settled(() => client.text(5).length), 1000);
  client.send({ kind: 'window-update', stream: 5, delta: 234 });
  assert.equal(await settled(() => client.text(5).length), 1234);
  client.send({ kind: 'window-update', stream: 5, delta: 1_000_000 });
  assert.equal(await settled(() => client.text(5).length), DEFAULT_WINDOW);
  client.socket.destroy();
});

test('what is read is given back as room', async () => {
  await using kubelet = await startKubelet({ exec: async () => session({ stdin: new PassThrough().resume() }) });
  const client = await upgrade(kubelet, EXEC, 'v4.channel.k8s.io');
  openExec(client);
  client.data(3, Buffer.alloc(40_000));
  assert.equal((await client.until('window-update', (frame) => frame.stream === 3)).delta, 40_000);
  assert.equal((await client.until('window-update', (frame) => frame.stream === 0)).delta, 40_000);
  client.socket.destroy();
});

test('a slow reader of stdin holds its client back', async () => {
  const stuck = new Writable({ write: () => undefined });
  await using kubelet = await startKubelet({ exec: async () => session({ stdin: stuck }) });
  const client = await upgrade(kubelet, EXEC, 'v4.channel.k8s.io');
  openExec(client);
  const size = 32 * 1024 * 1024;
  for (let sent = 0; sent < size; sent += 65_536) client.data(3, Buffer.alloc(65_536));
  const waiting = await settled(() => client.socket.writableLength);
  assert.ok(size - waiting < 2 * 1024 * 1024, `${size - waiting} bytes were taken`);
  client.socket.destroy();
});

test('a slow client holds the output back', async () => {
  let made = 0;
  const stdout = new Readable({
    read() {
      made += 65_536;
      this.push(Buffer.alloc(65_536));
    },
  });
  await using kubelet = await startKubelet({ exec: async () => session({ stdout }) });
  const client = await upgrade(kubelet, EXEC, 'v4.channel.k8s.io');
  openExec(client);
  await client.until('data');
  client.socket.pause();
  const before = made;
  assert.ok((await settled(() => made)) - before < 2 * 1024 * 1024);
  client.socket.destroy();
});

for (const [what, bytes] of [
  ['no SPDY', Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(3)).fill(0xff)],
  ['a control frame that is too long', Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
  ['a deflate bomb', Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 14, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])],
] as const) {
  test(`a client that sends ${what} is told to go, and its session ends`, async () => {
    const { promise: killed, resolve } = Promise.withResolvers<void>();
    await using kubelet = await startKubelet({ exec: async () => session({ kill: resolve }) });
    const client = await upgrade(kubelet, EXEC, 'v4.channel.k8s.io');
    openExec(client);
    client.socket.write(bytes);
    await client.until('goaway');
    await killed;
  });
}

test('a client that goes before it has opened its streams ends the session', async () => {
  const { promise: killed, resolve } = Promise.withResolvers<void>();
  await using kubelet = await startKubelet({ exec: async () => session({ kill: resolve }) });
  const client = await upgrade(kubelet, EXEC, 'v4.channel.k8s.io');
  client.open(1, { streamType: 'error' });
  client.socket.destroy();
  await killed;
});

test('streams that nobody asked for, twins and old numbers are reset; the rest goes on', async () => {
  const pipe = new PassThrough();
  await using kubelet = await startKubelet({ exec: async () => session({ stdin: pipe, stdout: pipe }) });
  const client = await upgrade(kubelet, EXEC, 'v4.channel.k8s.io');
  openExec(client);
  client.open(7, { streamType: 'stdout' });
  client.open(9, { streamType: 'unheard of' });
  client.open(4, { streamType: 'stdin' });
  client.data(99, Buffer.from('for nobody'));
  const statuses = new Map([
    [7, RST_STATUS.cancel],
    [9, RST_STATUS.cancel],
    [4, RST_STATUS.protocolError],
    [99, RST_STATUS.invalidStream],
  ]);
  for (const [stream, status] of statuses) {
    assert.equal((await client.until('rst-stream', (frame) => frame.stream === stream)).status, status);
  }
  client.data(3, Buffer.from('still here'));
  await client.until('data', (frame) => frame.stream === 5);
  assert.equal(client.text(5), 'still here');
  client.socket.destroy();
});

test('pings are answered; a client that leaves when asked ends the connection', async () => {
  await using kubelet = await startKubelet({});
  const client = await upgrade(kubelet, '/portForward/default/web', 'portforward.k8s.io');
  client.send({ kind: 'ping', id: 7 });
  assert.equal((await client.until('ping')).id, 7);
  client.send({ kind: 'goaway', lastStream: 0, status: 0 });
  await once(client.socket, 'end');
});

test('port-forward: a client too old for requestID is served by the numbers of its streams', async () => {
  await using kubelet = await startKubelet({ portForward: async () => new PassThrough() });
  const client = await upgrade(kubelet, '/portForward/default/web', 'portforward.k8s.io');
  client.open(1, { streamType: 'error', port: '80' }, true);
  client.open(3, { streamType: 'data', port: '80' });
  client.data(3, Buffer.from('old'), true);
  await client.until('data', (frame) => frame.stream === 3 && frame.fin);
  await client.until('data', (frame) => frame.stream === 1 && frame.fin);
  assert.deepEqual([client.text(3), client.text(1)], ['old', '']);
  client.socket.destroy();
});

test('port-forward: a reset by the client closes the connection in the pod', async () => {
  const pod = new PassThrough();
  await using kubelet = await startKubelet({ portForward: async () => pod });
  const client = await upgrade(kubelet, '/portForward/default/web', 'portforward.k8s.io');
  client.open(1, { streamType: 'error', port: '80', requestID: '0' }, true);
  client.open(3, { streamType: 'data', port: '80', requestID: '0' });
  client.data(3, Buffer.from('x'));
  await client.until('data');
  client.send({ kind: 'rst-stream', stream: 3, status: RST_STATUS.cancel });
  await once(pod, 'close');
  client.socket.destroy();
});

test('port-forward: a port that is none is told on the error stream', async () => {
  await using kubelet = await startKubelet({});
  const client = await upgrade(kubelet, '/portForward/default/web', 'portforward.k8s.io');
  client.open(1, { streamType: 'error', port: '0', requestID: '0' }, true);
  client.open(3, { streamType: 'data', port: '0', requestID: '0' });
  await client.until('data', (frame) => frame.stream === 1 && frame.fin);
  assert.match(client.text(1), /"0" as a port/);
  client.socket.destroy();
});

test('port-forward: one connection that is not read does not stop another at once', async () => {
  let connections = 0;
  await using kubelet = await startKubelet({
    portForward: async () => (++connections === 1 ? new Stuck() : new PassThrough()),
  });
  const client = await upgrade(kubelet, '/portForward/default/web', 'portforward.k8s.io');
  for (const [stream, requestID] of [
    [1, '0'],
    [5, '1'],
  ] as const) {
    client.open(stream, { streamType: 'error', port: '80', requestID }, true);
    client.open(stream + 2, { streamType: 'data', port: '80', requestID });
  }
  client.data(3, Buffer.alloc(100_000));
  client.data(7, Buffer.from('through'));
  await client.until('data', (frame) => frame.stream === 7);
  client.socket.destroy();
});

/** A connection whose other end never takes anything. */
class Stuck extends PassThrough {
  override _transform(): void {
    // Never calls back.
  }
}
