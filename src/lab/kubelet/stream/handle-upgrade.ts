import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { type AttachRequest, type Session, type StreamBackend, StreamRefusal } from '#lab/kubelet/stream/backend.ts';
import { type RemoteStreams, relay } from '#lab/kubelet/stream/relay.ts';
import { parseStreamRequest, type StreamRequest } from '#lab/kubelet/stream/request.ts';
import { servePortForward } from '#lab/kubelet/stream/spdy/port-forward.ts';
import { acceptCommandStreams } from '#lab/kubelet/stream/spdy/remote-command.ts';
import { chooseUpgrade, type Upgrade } from '#lab/kubelet/stream/upgrade.ts';
import { WebSocketDuplex } from '#lab/kubelet/stream/websocket/duplex.ts';
import { servePortChannels } from '#lab/kubelet/stream/websocket/port-forward.ts';
import { CHANNEL_PROTOCOLS } from '#lab/kubelet/stream/websocket/protocols.ts';
import { commandChannels } from '#lab/kubelet/stream/websocket/remote-command.ts';

type CommandRequest = Extract<StreamRequest, { kind: 'exec' | 'attach' }>;
type PortRequest = Extract<StreamRequest, { kind: 'port-forward' }>;

/**
 * Serves one upgraded request of the kubelet's streaming API: exec, attach or port-forward, over WebSocket or SPDY/3.1.
 * The first three arguments are those of an HTTP server's `upgrade` event.
 *
 * Resolves when the connection is over, never rejects. What cannot be served is answered with an HTTP status and a line
 * of text, which is what clients print.
 */
export async function handleStreamUpgrade(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  backend: StreamBackend,
): Promise<void> {
  socket.on('error', () => undefined);
  const run = await prepare(req, socket, head, backend).catch((error: unknown) => refuse(socket, error));
  await run?.().catch(() => undefined);
  socket.destroy();
}

/** Everything that may still be refused with an HTTP status; what it returns opens the stream and serves it. */
async function prepare(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  backend: StreamBackend,
): Promise<() => Promise<void>> {
  const request = parseStreamRequest(req.url ?? '/');
  if (request.kind === 'port-forward') {
    const upgrade = chooseUpgrade(req, socket, head, 'port-forward');
    if (upgrade.kind === 'channels' && request.ports.length === 0) {
      throw new StreamRefusal(400, 'query parameter "port" is required');
    }
    return () => servePorts(request, upgrade, backend);
  }
  const upgrade = chooseUpgrade(req, socket, head, 'command');
  const session = await start(request, backend);
  return () => serveCommand(session, request.request, upgrade);
}

/** The session begins before the answer, so that a pod which is not there is an HTTP status and not a broken stream. */
function start(request: CommandRequest, backend: StreamBackend): Promise<Session> {
  return request.kind === 'exec' ? backend.exec(request.request) : backend.attach(request.request);
}

async function serveCommand(session: Session, request: AttachRequest, upgrade: Upgrade): Promise<void> {
  try {
    const remote = await openCommand(upgrade, request);
    await relay(session, remote);
    await remote.gone;
  } finally {
    session.kill();
  }
}

async function openCommand(upgrade: Upgrade, request: AttachRequest): Promise<RemoteStreams> {
  if (upgrade.kind === 'spdy') return acceptCommandStreams(upgrade.open(), request);
  const socket = await upgrade.open();
  const protocol = upgrade.kind === 'channels' ? upgrade.protocol : CHANNEL_PROTOCOLS[''];
  return commandChannels(socket, protocol, request, closed(socket));
}

function closed(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function servePorts({ pod, ports }: PortRequest, upgrade: Upgrade, backend: StreamBackend): Promise<void> {
  switch (upgrade.kind) {
    case 'spdy':
      return servePortForward(upgrade.open(), pod, backend);
    case 'tunnel':
      return servePortForward(new WebSocketDuplex(await upgrade.open()), pod, backend);
    case 'channels':
      return servePortChannels(await upgrade.open(), upgrade.protocol, pod, ports, backend);
  }
}

function refuse(socket: Duplex, error: unknown): Promise<undefined> {
  const message = error instanceof Error ? error.message : String(error);
  const status = error instanceof StreamRefusal ? error.status : 500;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(message)}`,
    'Connection: close',
  ];
  return new Promise((resolve) => {
    socket.once('close', () => resolve(undefined));
    socket.end(`${lines.join('\r\n')}\r\n\r\n${message}`, () => resolve(undefined));
  });
}
