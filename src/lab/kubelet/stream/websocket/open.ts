import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** What one message may carry, bytes: some clients send a whole file in one. */
const MAX_MESSAGE = 32 * 1024 * 1024;

/** How long a client may take to read what is left before our close, ms. */
const CLOSE_TIMEOUT = 600_000;

/** How often a client is pinged, ms. */
const PING_INTERVAL = 15_000;

/** A variable of its own, as the type package does not know `closeTimeout` yet. */
const options = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE,
  closeTimeout: CLOSE_TIMEOUT,
};
const server = new WebSocketServer(options);

const chosen = new WeakMap<IncomingMessage, string>();
server.on('headers', (lines, req) => {
  const protocol = chosen.get(req);
  if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
});

/**
 * Answers 101 with `protocol` ('' for none) and gives the WebSocket. The library must not see what the client offered:
 * it refuses a header that is no list of tokens, as the tunnel's name is.
 *
 * @throws Error when the client is gone or its request is no WebSocket handshake, which is then answered.
 */
export function openWebSocket(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocol: string,
): Promise<WebSocket> {
  if (socket.destroyed) throw new Error('Cannot open a WebSocket: the client went away');
  delete req.headers['sec-websocket-protocol'];
  chosen.set(req, protocol);
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('Cannot open a WebSocket: the client went away')));
    server.handleUpgrade(req, socket, head, (opened) => {
      opened.on('error', () => undefined);
      keepAlive(opened);
      resolve(opened);
    });
  });
}

/**
 * A client that is gone is found out by the error that writing brings, also while we do not read. No answer is waited
 * for: a kubectl that was suspended may come back after an hour.
 */
function keepAlive(socket: WebSocket): void {
  const timer = setInterval(() => {
    if (socket.readyState === socket.OPEN) socket.ping();
  }, PING_INTERVAL).unref();
  socket.once('close', () => clearInterval(timer));
}
