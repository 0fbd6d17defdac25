/** Clients that read slowly, never, or end in the middle: they are cut off, and cost bounded memory. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { LIMITS } from '#serve/api/api.ts';
import { startProcess } from '#serve/api/testing/process.ts';
import { CONFIG_MAPS, configMap, startServer, type TestClient, temporaryDirectory } from '#serve/api/testing/server.ts';
import { textAt } from '#spec/kinds/json.ts';

const BIG = 'x'.repeat(500_000);
const MIDDLE = 'x'.repeat(50_000);
const MIB = 2 ** 20;

/** A connection that sends what it is told to, and reads nothing unless told to. */
async function dial(client: TestClient, head: string, headers: Record<string, string> = {}): Promise<TLSSocket> {
  const { port, hostname } = new URL(client.url);
  // The server's certificate is not what is tried here.
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const lines = Object.entries({ Host: hostname, ...client.credentials, ...headers });
  socket.write([`${head} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n'));
  return socket;
}

/** The first bytes have come; then it reads no more. */
async function readOnce(socket: TLSSocket): Promise<void> {
  await once(socket, 'readable');
  socket.read(1);
}

/** Its end, also by an error. */
function closeOf(socket: TLSSocket): Promise<true> {
  return new Promise((resolve) => socket.once('close', () => resolve(true)));
}

/** A connection that nobody holds any more answers the next byte with a reset, whatever is still unread. */
async function knockUntilGone(socket: TLSSocket): Promise<void> {
  const closed = closeOf(socket);
  for (let gone = false; !gone; ) {
    socket.write('\r\n');
    gone = await Promise.race([closed, setTimeout(20, false)]);
  }
}

/** When the other side has cut it off. */
async function cutOff(socket: TLSSocket): Promise<void> {
  socket.resume();
  await closeOf(socket);
}

async function changeOften(client: TestClient, times: number, value = BIG): Promise<string> {
  let revision = '';
  for (let index = 0; index < times; index += 1) {
    const { body } = await client.ask('PUT', `${CONFIG_MAPS}/big`, configMap('big', { value: `${index}${value}` }));
    revision = textAt(body, 'metadata', 'resourceVersion');
  }
  return revision;
}

/** Resident memory of a process, bytes. */
function residentOf(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

describe('clients of the API server', { timeout: 120_000 }, () => {
  it('that watch and never read cost bounded memory, all together', async () => {
    const directory = temporaryDirectory();
    try {
      await using server = await startProcess(directory, ['--listen', '127.0.0.1:0']);
      await server.client.ask('POST', CONFIG_MAPS, configMap('big', {}));
      await changeOften(server.client, 400, MIDDLE);
      const before = residentOf(server.child.pid);
      const watchers = await Promise.all(
        Array.from({ length: 100 }, () => dial(server.client, `GET ${CONFIG_MAPS}?watch=1`)),
      );
      await Promise.all(watchers.map(readOnce));
      await changeOften(server.client, 400, MIDDLE);
      const grown = residentOf(server.child.pid) - before;
      for (const socket of watchers) socket.destroy();
      // 100 backlogs of 20 MB each would be 2 GB.
      assert.ok(grown < 150 * MIB, `${Math.round(grown / MIB)} MiB for 100 clients that do not read`);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('that watch and read late are told all of it, in order', async () => {
    await using server = await startServer();
    const { client } = server;
    await client.ask('POST', CONFIG_MAPS, configMap('big', {}));
    const answer = await client.open('GET', `${CONFIG_MAPS}?watch=1&resourceVersion=1`);
    const last = await changeOften(client, 20);
    const seen: number[] = [];
    let rest = '';
    for await (const chunk of answer) {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      seen.push(...lines.map((line) => Number(textAt(JSON.parse(line), 'object', 'metadata', 'resourceVersion'))));
      if (seen.at(-1) === Number(last)) break;
    }
    assert.equal(new Set(seen).size, seen.length);
    assert.deepEqual(
      seen.slice(-20),
      Array.from({ length: 20 }, (_, index) => Number(last) - 19 + index),
    );
  });

  it('that fall behind what the history holds are told to begin anew', async () => {
    await using server = await startServer(temporaryDirectory(), false, { history: { events: 10, bytes: 5 * MIB } });
    const { client } = server;
    await client.ask('POST', CONFIG_MAPS, configMap('big', {}));
    const answer = await client.open('GET', `${CONFIG_MAPS}?watch=1`);
    await changeOften(client, 40);
    const text = Buffer.concat(await answer.toArray()).toString('utf8');
    const end = JSON.parse(text.trimEnd().split('\n').at(-1) ?? '');
    assert.deepEqual([textAt(end, 'type'), textAt(end, 'object', 'reason')], ['ERROR', 'Expired']);
  });

  it('that do not read on are cut off: a watch, a list in pieces, and one large object', async () => {
    await using server = await startServer(temporaryDirectory(), false, { limits: { ...LIMITS, stallMs: 50 } });
    const { client } = server;
    for (let index = 0; index < 30; index += 1) {
      await client.ask('POST', CONFIG_MAPS, configMap(`big-${index}`, { a: BIG, b: BIG }));
    }
    for (const path of ['?watch=1', '', '?fieldSelector=metadata.namespace%3Ddefault']) {
      const socket = await dial(client, `GET ${CONFIG_MAPS}${path}`);
      await readOnce(socket);
      await knockUntilGone(socket);
    }
  });

  it('that send their request too slowly are cut off, and others are served meanwhile', async () => {
    await using server = await startServer(temporaryDirectory(), false, { limits: { ...LIMITS, requestMs: 500 } });
    const { client } = server;
    const length = { 'Content-Length': '1000', 'Content-Type': 'application/json' };
    const halfBody = await dial(client, `POST ${CONFIG_MAPS}`, length);
    halfBody.write('{"apiVersion":');
    const halfHead = await dial(client, 'GET /api');
    halfHead.write('GET /api HTTP/1.1\r\nHost:');
    assert.equal((await client.ask('GET', CONFIG_MAPS)).status, 200);
    await Promise.all([cutOff(halfBody), cutOff(halfHead)]);
  });

  it('that end their half of the connection still get their answer', async () => {
    await using server = await startServer();
    const socket = await dial(server.client, `GET ${CONFIG_MAPS}`, { Connection: 'close' });
    socket.end();
    assert.match(Buffer.concat(await socket.toArray()).toString('utf8'), /^HTTP\/1\.1 200 OK/);
  });
});
