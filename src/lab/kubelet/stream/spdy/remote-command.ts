import type { Duplex } from 'node:stream';
import type { AttachRequest } from '#lab/kubelet/stream/backend.ts';
import type { RemoteStreams } from '#lab/kubelet/stream/relay.ts';
import { SpdyConnection } from '#lab/kubelet/stream/spdy/connection.ts';
import type { SpdyStream } from '#lab/kubelet/stream/spdy/stream.ts';
import { statusJson } from '#lab/kubelet/stream/status.ts';

/** Versions of the exec and attach protocol that are spoken here over SPDY; kubectl has offered v4 since 1.5. */
export const SPDY_COMMAND_PROTOCOL = 'v4.channel.k8s.io';

/** How long a client may take to open its streams, ms (the real kubelet's default). */
const CREATION_TIMEOUT = 30_000;

/** How long a client may take to read what is left after the end, ms. It closes the connection when it has. */
const LINGER = 600_000;

/**
 * Waits for the streams that a client opens for an exec or attach (`streamType`: error, and those it asked for).
 *
 * @throws Error when they do not come in time or the connection breaks; it is then closed.
 */
export async function acceptCommandStreams(transport: Duplex, request: AttachRequest): Promise<RemoteStreams> {
  const wanted = expectedTypes(request);
  const streams = new Map<string, SpdyStream>();
  const { promise: complete, resolve } = Promise.withResolvers<void>();
  const connection = new SpdyConnection(transport, (stream) => {
    const type = stream.headers.get('streamtype') ?? '';
    if (!wanted.includes(type) || streams.has(type)) stream.destroy();
    else streams.set(type, stream);
    if (streams.size === wanted.length) resolve();
  });
  await inTime(connection, complete);
  return remoteStreams(connection, streams);
}

function expectedTypes(request: AttachRequest): readonly string[] {
  const types = [
    request.stdin && 'stdin',
    request.stdout && 'stdout',
    request.stderr && 'stderr',
    request.tty && 'resize',
  ];
  return ['error', ...types.filter((type) => type !== false)];
}

async function inTime(connection: SpdyConnection, complete: Promise<void>): Promise<void> {
  const timer = setTimeout(() => connection.destroy(), CREATION_TIMEOUT);
  const broken = connection.closed.then(() => {
    throw new Error('Cannot stream: the client closed the connection before it opened its streams');
  });
  try {
    await Promise.race([complete, broken]);
  } finally {
    clearTimeout(timer);
    broken.catch(() => undefined);
  }
}

function remoteStreams(connection: SpdyConnection, streams: ReadonlyMap<string, SpdyStream>): RemoteStreams {
  // Clients say nothing on these; reading them is what makes their end seen.
  for (const type of ['error', 'stdout', 'stderr']) streams.get(type)?.resume();
  return {
    stdin: streams.get('stdin'),
    stdout: streams.get('stdout'),
    stderr: streams.get('stderr'),
    resize: streams.get('resize'),
    gone: connection.closed,
    finish(exit) {
      streams.get('error')?.end(statusJson(exit));
      streams.get('stdin')?.end();
      streams.get('resize')?.end();
      linger(connection);
    },
  };
}

/**
 * Lets the client close. Its library drops what it has received and not yet handed on when the connection ends under
 * it, so that closing first could cost the last output of a slow reader.
 */
function linger(connection: SpdyConnection): void {
  const timer = setTimeout(() => connection.destroy(), LINGER).unref();
  void connection.closed.then(() => clearTimeout(timer));
}
