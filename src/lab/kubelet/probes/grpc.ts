/** The gRPC health checking protocol (grpc.health.v1.Health/Check), as far as a probe needs it: HTTP/2 and two messages. */

import { connect, constants } from 'node:http2';

const PATH = '/grpc.health.v1.Health/Check';
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const SERVING = 1;
/** More than an answer can have, bytes. */
const MOST = 4096;

/** HealthCheckRequest: field 1 is the service's name; before it what every gRPC message has: no compression, its length. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): Buffer {
  return value < 0x80
    ? Buffer.from([value])
    : Buffer.concat([Buffer.from([(value & 0x7f) | 0x80]), varint(value >> 7)]);
}

/** Number of the status in a HealthCheckResponse (field 1, 0 if it is not there); undefined if it is none. */
export function healthStatus(answer: Buffer): number | undefined {
  if (answer.length < 5 || answer[0] !== 0) return undefined;
  const message = answer.subarray(5, 5 + answer.readUInt32BE(1));
  if (message.length === 0) return 0;
  return message[0] === 0x08 ? message[1] : undefined;
}

/** Undefined: it serves; else why not, as the kubelet says it. Never rejects. */
export function checkGrpc(host: string, port: number, service: string, timeoutMs: number): Promise<string | undefined> {
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const session = connect(`http://${at}`);
  const end = (verdict: string | undefined) => {
    clearTimeout(late);
    resolve(verdict);
    session.destroy();
  };
  const late = setTimeout(() => {
    end(`timeout: failed to connect service "${at}" within ${timeoutMs / 1000}s: context deadline exceeded`);
  }, timeoutMs);
  let connected = false;
  session.on('connect', () => {
    connected = true;
  });
  const failed = (error: Error) => {
    end(`error: ${connected ? 'health rpc probe failed' : `failed to connect service "${at}"`}: ${error.message}`);
  };
  session.on('error', failed);
  const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_CONTENT_TYPE, HTTP2_HEADER_TE } = constants;
  const stream = session.request({
    [HTTP2_HEADER_METHOD]: 'POST',
    [HTTP2_HEADER_PATH]: PATH,
    [HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
    [HTTP2_HEADER_TE]: 'trailers',
  });
  let answer = Buffer.alloc(0);
  let status = '';
  const hear = (headers: Readonly<Record<string, unknown>>) => {
    status = String(headers['grpc-status'] ?? status);
  };
  stream.on('response', hear).on('trailers', hear);
  stream.on('data', (data: Buffer) => {
    if (answer.length < MOST) answer = Buffer.concat([answer, data]);
  });
  stream.on('error', failed);
  // Not at its end: that comes before the error of a connection that was refused.
  stream.on('close', () => end(verdictOf(status, answer)));
  stream.end(healthRequest(service));
  return promise;
}

/** gRPC "Status codes": 0 is success. */
function verdictOf(grpcStatus: string, answer: Buffer): string | undefined {
  if (grpcStatus !== '0') return `error: health rpc probe failed: rpc error: code = ${grpcStatus || 'none'}`;
  const status = healthStatus(answer);
  if (status === SERVING) return undefined;
  return `service unhealthy (responded with "${STATUSES[status ?? 0] ?? status}")`;
}
