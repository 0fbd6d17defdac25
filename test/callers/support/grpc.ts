/** Unary gRPC calls over HTTP/2 on a unix socket (gRPC over HTTP2, doc/PROTOCOL-HTTP2.md). */

import { type ClientHttp2Session, connect } from 'node:http2';
import { createConnection } from 'node:net';

export interface GrpcChannel extends Disposable {
  /**
   * @param path `/package.Service/Method`
   * @param timeoutMs what is told to the server as the caller's deadline
   * @throws Error with the server's status and message
   */
  call(path: string, request: Uint8Array, timeoutMs?: number): Promise<Uint8Array>;
}

export function openGrpc(socketPath: string): GrpcChannel {
  const session = connect('http://localhost', { createConnection: () => createConnection(socketPath) });
  // Each call that is under way learns of it by itself.
  session.on('error', () => {});
  return {
    call: (...args) => call(session, ...args),
    [Symbol.dispose]: () => session.destroy(),
  };
}

async function call(session: ClientHttp2Session, path: string, request: Uint8Array, timeoutMs = 60_000) {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': `${timeoutMs}m`,
  });
  const status = { code: '', message: '' };
  const read = (headers: NodeJS.Dict<string | string[]>) => {
    if (headers['grpc-status'] === undefined) return;
    status.code = String(headers['grpc-status']);
    status.message = decodeURIComponent(String(headers['grpc-message'] ?? ''));
  };
  // A failure without an answer has its status in the first headers.
  stream.on('response', read).on('trailers', read);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(request.length, 1);
  stream.end(Buffer.concat([head, request]));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  if (status.code !== '0') throw new Error(`${path}: status ${status.code}: ${status.message}`);
  return Buffer.concat(chunks).subarray(5);
}
