import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { type ExecRequest, type ExitStatus, type Session, StreamRefusal } from '#lab/kubelet/stream/backend.ts';
import { settled, startKubelet } from '#lab/kubelet/stream/testing/kubelet.ts';

/** A session that copies stdin to stdout, says a word on stderr, and ends with stdin. */
async function echo(request: ExecRequest, exit: ExitStatus): Promise<Session> {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  stdin.pipe(stdout);
  const ended = once(stdin, 'end').then(() => exit);
  return {
    stdin,
    stdout: request.stdout ? stdout : undefined,
    stderr: request.stderr ? Readable.from([Buffer.from('word')]) : undefined,
    resize: () => undefined,
    exit: ended,
    kill: () => stdin.end(),
  };
}

const PATH = '/exec/default/web/main?command=cat&stdin=true&stdout=true';

function open(url: string, protocols: readonly string[]): WebSocket {
  return new WebSocket(url, [...protocols]);
}

/** What the server says, as `channel:text`, from the beginning. */
class Ear {
  readonly messages: string[] = [];
  /** The code of the close. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (data.length > 1) this.messages.push(binary ? `${data[0]}:${data.subarray(1)}` : String(data));
    });
    this.closed = once(socket, 'close').then(([code]) => code);
  }

  async until(message: string): Promise<void> {
    while (!this.messages.includes(message)) await once(this.#socket, 'message');
  }
}

test('v5: the close signal ends stdin; output, then the status, then a normal close', async () => {
  await using kubelet = await startKubelet({ exec: (request) => echo(request, { code: 0 }) });
  const socket = open(kubelet.webSocket(`${PATH}&stderr=true`), ['v5.channel.k8s.io', 'v4.channel.k8s.io']);
  const ear = new Ear(socket);
  await once(socket, 'open');
  assert.equal(socket.protocol, 'v5.channel.k8s.io');
  socket.send(Buffer.from('\0hello'));
  socket.send(Buffer.from([255, 0]));
  const code = await ear.closed;
  const { messages } = ear;
  assert.deepEqual(new Set(messages), new Set(['1:hello', '2:word', '3:{"metadata":{},"status":"Success"}']));
  assert.equal(messages.at(-1)?.[0], '3');
  assert.equal(code, 1000);
});

test('v4: channel 255 means nothing; the exit code stands in the status', async () => {
  let session: Promise<Session> | undefined;
  await using kubelet = await startKubelet({
    exec: (request) => {
      session = echo(request, { code: 300 });
      return session;
    },
  });
  const socket = open(kubelet.webSocket(PATH), ['v4.channel.k8s.io']);
  const ear = new Ear(socket);
  await once(socket, 'open');
  socket.send(Buffer.from([255, 0]));
  socket.send(Buffer.from('\0still here'));
  await ear.until('1:still here');
  (await session)?.stdin?.end();
  await ear.closed;
  const status = JSON.parse(ear.messages.at(-1)?.slice(2) ?? '');
  assert.equal(status.reason, 'NonZeroExitCode');
  assert.deepEqual(status.details.causes, [{ reason: 'ExitCode', message: '44' }]);
});

test('base64: messages are text, the digit of the channel and base64', async () => {
  await using kubelet = await startKubelet({ exec: (request) => echo(request, { error: 'broke' }) });
  const socket = open(kubelet.webSocket(PATH), ['v4.base64.channel.k8s.io']);
  const ear = new Ear(socket);
  await once(socket, 'open');
  socket.send(`0${btoa('hi')}`);
  await ear.until(`1${btoa('hi')}`);
  kubelet.killAll();
  await ear.closed;
  const last = ear.messages[1] ?? '';
  const status = JSON.parse(atob(last.slice(1)));
  assert.deepEqual([last[0], status.reason, status.code], ['3', 'InternalError', 500]);
});

test('channel.k8s.io: the status is text, and nothing for success', async () => {
  const exits: ExitStatus[] = [{ code: 3 }, { code: 0 }];
  await using kubelet = await startKubelet({ exec: (request) => echo(request, exits.pop() ?? { code: 0 }) });
  for (const wanted of [[], ['3:command terminated with non-zero exit code: exit status 3']]) {
    const socket = open(kubelet.webSocket(PATH), ['channel.k8s.io']);
    const ear = new Ear(socket);
    await once(socket, 'open');
    kubelet.killAll();
    await ear.closed;
    assert.deepEqual(ear.messages, wanted);
  }
});

test('a client that names no protocol is served as the oldest', async () => {
  await using kubelet = await startKubelet({ exec: (request) => echo(request, { code: 0 }) });
  const socket = open(kubelet.webSocket(PATH), []);
  await once(socket, 'open');
  assert.equal(socket.protocol, '');
  socket.terminate();
});

const REFUSALS = [
  { path: PATH, protocol: 'v9.channel.k8s.io', status: 403, says: /server supports .*v5\.channel\.k8s\.io/ },
  { path: '/exec/default/web/main?stdout=1', protocol: 'v4.channel.k8s.io', status: 400, says: /at least one command/ },
  { path: '/exec/default/web/main?command=a', protocol: 'v4.channel.k8s.io', status: 400, says: /at least 1 of stdin/ },
  { path: '/elsewhere', protocol: 'v4.channel.k8s.io', status: 404, says: /not found/ },
  { path: '/portForward/default/web', protocol: 'v4.channel.k8s.io', status: 400, says: /"port" is required/ },
  { path: '/portForward/default/web?port=0', protocol: 'v4.channel.k8s.io', status: 400, says: /"0" as a port/ },
  { path: '/exec/default/absent/main?command=a&output=1', protocol: 'v4.channel.k8s.io', status: 404, says: /^absent/ },
  {
    path: '/exec/default/broken/main?command=a&output=1',
    protocol: 'v4.channel.k8s.io',
    status: 500,
    says: /^broken$/,
  },
] as const;

for (const { path, protocol, status, says } of REFUSALS) {
  test(`${path} with ${protocol} is refused with ${status}`, async () => {
    await using kubelet = await startKubelet({
      exec: async ({ pod }) => {
        throw pod.name === 'broken' ? new Error('broken') : new StreamRefusal(404, `${pod.name} is not here`);
      },
    });
    const socket = open(kubelet.webSocket(path), [protocol]).on('error', () => undefined);
    const [, response] = await once(socket, 'unexpected-response');
    assert.equal(response.statusCode, status);
    assert.match(await text(response), says);
  });
}

test('a slow reader of stdin holds its client back', async () => {
  const stuck = new Writable({ write: () => undefined });
  await using kubelet = await startKubelet({
    exec: async () => ({
      stdin: stuck,
      resize: () => undefined,
      exit: new Promise(() => undefined),
      kill: () => undefined,
    }),
  });
  const socket = open(kubelet.webSocket(PATH), ['v5.channel.k8s.io']);
  await once(socket, 'open');
  const size = 32 * 1024 * 1024;
  for (let sent = 0; sent < size; sent += 65_536) socket.send(Buffer.alloc(65_536));
  const waiting = await settled(() => socket.bufferedAmount);
  assert.ok(size - waiting < 2 * 1024 * 1024, `${size - waiting} bytes were taken`);
  socket.terminate();
});

test('a slow client holds the output back, and gets all of it in the end', async () => {
  const size = 32 * 1024 * 1024;
  let made = 0;
  const stdout = new Readable({
    read() {
      made += 65_536;
      this.push(Buffer.alloc(65_536));
      if (made === size) this.push(null);
    },
  });
  await using kubelet = await startKubelet({
    exec: async () => ({
      stdout,
      resize: () => undefined,
      exit: once(stdout, 'end').then(() => ({ code: 0 })),
      kill: () => undefined,
    }),
  });
  const socket = open(kubelet.webSocket(PATH), ['v5.channel.k8s.io']);
  await once(socket, 'open');
  socket.pause();
  const before = await settled(() => made);
  assert.ok(before < 2 * 1024 * 1024, `${before} bytes were made`);
  let got = 0;
  socket.on('message', (data: Buffer) => {
    if (data[0] === 1) got += data.length - 1;
  });
  socket.resume();
  await once(socket, 'close');
  assert.equal(got, size);
});

test('a client that goes away kills the session', async () => {
  const { promise: killed, resolve } = Promise.withResolvers<void>();
  await using kubelet = await startKubelet({
    exec: async () => ({ resize: () => undefined, exit: new Promise(() => undefined), kill: resolve }),
  });
  const socket = open(kubelet.webSocket(PATH), ['v5.channel.k8s.io']);
  await once(socket, 'open');
  socket.terminate();
  await killed;
});

test('the resize channel sets the size of a terminal', async () => {
  const { promise: size, resolve } = Promise.withResolvers<string>();
  await using kubelet = await startKubelet({
    exec: async () => ({
      resize: (cols, rows) => resolve(`${cols}x${rows}`),
      exit: size.then(() => ({ code: 0 })),
      kill: () => undefined,
    }),
  });
  const socket = open(kubelet.webSocket(`${PATH}&tty=true`), ['v5.channel.k8s.io']);
  await once(socket, 'open');
  socket.send(Buffer.from('\x04{"Width":120,'));
  socket.send(Buffer.from('\x04"Height":40}\n'));
  assert.equal(await size, '120x40');
});

test('port channels: both begin with the port, bytes go through, a refusal is told on the error channel', async () => {
  await using kubelet = await startKubelet({
    portForward: async ({ port }) => {
      if (port === 81) throw new Error('refused');
      return new PassThrough();
    },
  });
  const socket = open(kubelet.webSocket('/portForward/default/web?port=258,81'), ['v4.channel.k8s.io']);
  const heard = new Map<number, string>();
  const { promise: complete, resolve } = Promise.withResolvers<void>();
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? 0;
    heard.set(channel, (heard.get(channel) ?? '') + data.toString('latin1', 1));
    if (heard.get(0)?.endsWith('hello') && heard.get(3)?.endsWith('refused')) resolve();
  });
  await once(socket, 'open');
  socket.send(Buffer.from('\0hello'));
  await complete;
  assert.equal(heard.get(0), '\x02\x01hello');
  assert.equal(heard.get(1), '\x02\x01');
  assert.equal(heard.get(3), '\x51\0error forwarding port 81 to pod web, uid : refused');
  socket.terminate();
});
