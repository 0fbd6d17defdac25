import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { attachSession } from '#lab/kubelet/stream/attach-session.ts';
import type { AttachRequest } from '#lab/kubelet/stream/backend.ts';
import { ResizeReader } from '#lab/kubelet/stream/resize.ts';
import { FROM_TEND, TendReader, TO_TEND, tendFrame } from '#lab/kubelet/stream/tend-frames.ts';

const REQUEST: AttachRequest = {
  pod: { namespace: 'default', name: 'web' },
  container: 'main',
  stdin: true,
  stdout: true,
  stderr: true,
  tty: false,
};

interface FakeTend extends AsyncDisposable {
  readonly path: string;
  readonly client: Promise<Socket>;
}

async function fakeTend(): Promise<FakeTend> {
  const directory = await mkdtemp(join(tmpdir(), 'polder-tend-'));
  const path = join(directory, 'sock');
  const { promise: client, resolve } = Promise.withResolvers<Socket>();
  const server = createServer(resolve);
  await once(server.listen(path), 'listening');
  return {
    path,
    client,
    async [Symbol.asyncDispose]() {
      server.close();
      await rm(directory, { recursive: true });
    },
  };
}

test('attachSession parts the output, frames stdin and sizes, and ends with the container', async () => {
  await using tend = await fakeTend();
  const session = await attachSession(tend.path, REQUEST);
  const client = await tend.client;
  session.stdin?.write('typed');
  session.stdin?.end();
  session.resize(80, 24);
  const wanted = [tendFrame(TO_TEND.stdin, Buffer.from('typed')), tendFrame(TO_TEND.endOfStdin)];
  wanted.push(tendFrame(TO_TEND.size, Uint8Array.of(0, 80, 0, 24)));
  let heard = Buffer.alloc(0);
  while (heard.length < Buffer.concat(wanted).length) heard = Buffer.concat([heard, (await once(client, 'data'))[0]]);
  assert.deepEqual([...heard].sort(), [...Buffer.concat(wanted)].sort());
  client.write(tendFrame(FROM_TEND.stdout, Buffer.from('out')));
  client.write(tendFrame(FROM_TEND.stderr, Buffer.from('err')));
  client.end(tendFrame(FROM_TEND.stdout, Buffer.from('put')));
  assert.ok(session.stdout && session.stderr);
  assert.deepEqual(await Promise.all([text(session.stdout), text(session.stderr)]), ['output', 'err']);
  assert.deepEqual(await session.exit, { code: 0 });
});

test('attachSession lets go without a word when it is killed', async () => {
  await using tend = await fakeTend();
  const session = await attachSession(tend.path, REQUEST);
  const client = await tend.client;
  session.kill();
  client.resume();
  await once(client, 'close');
  assert.deepEqual(await session.exit, { code: 0 });
});

test('attachSession says that a container does not run when nobody listens', async () => {
  await assert.rejects(attachSession('/nonexistent/socket', REQUEST), { status: 400, message: /not running/ });
});

test('TendReader gives back what tendFrame wrote, however it is cut', () => {
  const frame = fc.record({ type: fc.integer({ min: 0, max: 2 }), bytes: fc.uint8Array({ maxLength: 50 }) });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), fc.integer({ min: 1, max: 20 }), (frames, cut) => {
      const wire = Buffer.concat(frames.map(({ type, bytes }) => tendFrame(type, bytes)));
      const reader = new TendReader();
      const got: number[] = [];
      for (let at = 0; at < wire.length; at += cut) {
        for (const { type, bytes } of reader.push(wire.subarray(at, at + cut))) {
          got.push(...Array.from(bytes, (value) => type * 256 + value));
        }
      }
      assert.deepEqual(
        got,
        frames.flatMap(({ type, bytes }) => Array.from(bytes, (value) => type * 256 + value)),
      );
    }),
  );
});

test('ResizeReader reads sizes however they are cut, and skips what is none', () => {
  const number = fc.integer({ min: 0, max: 65_535 });
  const size = fc.record({ cols: number, rows: number }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(size, { maxLength: 5 }), fc.integer({ min: 1, max: 9 }), (sizes, cut) => {
      const junk = '{"Width":"wide"}{}';
      const wire = Buffer.from(sizes.map(({ cols, rows }) => `${junk}{"Width":${cols},"Height":${rows}}\n`).join(''));
      const reader = new ResizeReader();
      const got = [];
      for (let at = 0; at < wire.length; at += cut) got.push(...reader.push(wire.subarray(at, at + cut)));
      assert.deepEqual(got, sizes);
    }),
  );
});

test('ResizeReader survives random bytes and gives sizes that a terminal can have', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (chunks) => {
      const reader = new ResizeReader();
      for (const chunk of chunks) {
        for (const { cols, rows } of reader.push(chunk)) assert.ok(cols <= 0xffff && rows <= 0xffff);
      }
    }),
  );
});
