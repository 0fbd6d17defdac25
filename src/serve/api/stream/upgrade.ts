/**
 * exec, attach and portforward: once the pod is found, the client's connection is joined byte by byte to the kubelet,
 * which speaks WebSocket or SPDY itself. Each direction ends by itself (half-close).
 */
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { internalError, type StatusError } from '#serve/api/http/status-error.ts';
import type { KubeletTarget } from '#serve/api/stream/kubelet-path.ts';
import { WebSocketPieces } from '#wire/websocket/pieces.ts';

/** Headers that are between the client and this server alone. */
const OWN_HEADERS = new Set(['authorization', 'host', 'cookie']);

/** Joins a client that asked for an upgrade to its kubelet; `head` is what the client has sent beyond its request. */
export function joinKubelet(request: IncomingMessage, client: Duplex, head: Buffer, target: KubeletTarget): void {
  const kubelet = connect({ path: target.socket, allowHalfOpen: true });
  kubelet.on('error', (error) => {
    if (kubelet.bytesRead === 0 && kubelet.bytesWritten === 0)
      refuse(client, internalError(`error dialing backend: ${error.message}`));
    else client.destroy();
  });
  kubelet.on('connect', () => {
    kubelet.write(requestHead(request, target.path));
    if (head.length > 0) kubelet.write(head);
    join(client, kubelet, request.headers.upgrade?.toLowerCase() === 'websocket');
  });
  client.on('error', () => kubelet.destroy());
  client.on('close', () => kubelet.destroy());
}

/** Passes on data, back-pressure and each side's end. */
function join(client: Duplex, kubelet: Socket, webSocket: boolean): void {
  kubelet.setNoDelay(true);
  client.pipe(kubelet);
  if (webSocket) sendByFrame(kubelet, client).catch(() => client.destroy());
  else kubelet.pipe(client);
  kubelet.on('close', (hadError) => {
    if (hadError || !client.writableEnded) client.destroy();
  });
}

/**
 * One write, waited for, and so one TLS record, holds no bytes of two frames: the Python client polls its socket before
 * each frame, and would never see one that its TLS library has already read with another.
 */
async function sendByFrame(kubelet: Socket, client: Duplex): Promise<void> {
  const pieces = new WebSocketPieces();
  for await (const chunk of kubelet.iterator({ destroyOnReturn: false })) {
    for (const piece of pieces.push(chunk)) await write(client, piece);
  }
  client.end();
}

function write(client: Duplex, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    client.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function requestHead(request: IncomingMessage, path: string): string {
  const lines = [`${request.method ?? 'GET'} ${path} HTTP/1.1`, 'Host: kubelet'];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? '';
    if (!OWN_HEADERS.has(name.toLowerCase())) lines.push(`${name}: ${request.rawHeaders[index + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Answers a request for an upgrade with a failure. */
export function refuse(client: Duplex, error: StatusError): void {
  const body = JSON.stringify(error.body());
  const head = [
    `HTTP/1.1 ${error.code} ${error.reason}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  client.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
