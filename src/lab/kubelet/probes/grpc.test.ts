import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { checkGrpc, healthRequest, healthStatus } from '#lab/kubelet/probes/grpc.ts';

/** A gRPC server of which only the health service is there. */
async function serve(answer: (stream: ServerHttp2Stream, body: Buffer) => void) {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    assert.equal(headers[':path'], '/grpc.health.v1.Health/Check');
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => answer(stream, Buffer.concat(pieces)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.dispose]: () => void server.close() };
}

function respond(stream: ServerHttp2Stream, status: number): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]));
}

test('a service that serves is well, one that does not says so', async () => {
  using server = await serve((stream, body) => respond(stream, body.includes('sick') ? 2 : 1));
  assert.equal(await checkGrpc('127.0.0.1', server.port, '', 5_000), undefined);
  const verdict = await checkGrpc('127.0.0.1', server.port, 'sick', 5_000);
  assert.equal(verdict, 'service unhealthy (responded with "NOT_SERVING")');
});

test('no gRPC server, one that fails, and one that says nothing, are told apart', async () => {
  using failing = await serve((stream) => stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true }));
  assert.match((await checkGrpc('127.0.0.1', failing.port, '', 5_000)) ?? '', /health rpc probe failed.*12/);
  using silent = await serve(() => {});
  assert.match((await checkGrpc('127.0.0.1', silent.port, '', 50)) ?? '', /^timeout: .*within 0.05s/);
  const closed = await serve(() => {});
  closed[Symbol.dispose]();
  assert.match((await checkGrpc('127.0.0.1', closed.port, '', 5_000)) ?? '', /failed to connect service/);
});

test('messages are those of the protocol', () => {
  assert.deepEqual(healthRequest(''), Buffer.from([0, 0, 0, 0, 0]));
  assert.deepEqual(healthRequest('ab'), Buffer.from([0, 0, 0, 0, 4, 0x0a, 2, 0x61, 0x62]));
  assert.equal(healthRequest('x'.repeat(200)).length, 5 + 1 + 2 + 200);
  assert.equal(healthStatus(Buffer.from([0, 0, 0, 0, 0])), 0);
  assert.equal(healthStatus(Buffer.from([1, 0, 0, 0, 0])), undefined);
  assert.equal(healthStatus(Buffer.from('HTTP/1.1')), undefined);
});
