import type { Duplex } from 'node:stream';
import type { PodRef, StreamBackend } from '#lab/kubelet/stream/backend.ts';
import { forward } from '#lab/kubelet/stream/forward.ts';
import { parsePort } from '#lab/kubelet/stream/request.ts';
import { SpdyConnection } from '#lab/kubelet/stream/spdy/connection.ts';
import type { SpdyStream } from '#lab/kubelet/stream/spdy/stream.ts';

export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';

/** How long the second stream of a pair may take, ms. */
const PAIR_TIMEOUT = 30_000;

interface HalfPair {
  readonly stream: SpdyStream;
  readonly timer: NodeJS.Timeout;
}

/**
 * Forwards ports over one SPDY connection: each forwarded connection is a pair of streams (`streamType` error and
 * data) with the same `requestID`, and the `port`. Resolves when the client has gone.
 */
export async function servePortForward(transport: Duplex, pod: PodRef, backend: StreamBackend): Promise<void> {
  const halves = new Map<string, HalfPair>();
  const connection = new SpdyConnection(transport, (stream) => {
    const pair = matchPair(halves, stream);
    if (pair !== undefined) void forwardPair(backend, pod, pair);
  });
  await connection.closed;
  for (const { timer } of halves.values()) clearTimeout(timer);
}

interface Pair {
  readonly error: SpdyStream;
  readonly data: SpdyStream;
}

/** The pair that `stream` completes; the first of two is kept until then, what fits nowhere is reset. */
function matchPair(halves: Map<string, HalfPair>, stream: SpdyStream): Pair | undefined {
  const type = stream.headers.get('streamtype');
  const request = requestId(stream, type);
  const half = halves.get(request);
  if ((type !== 'error' && type !== 'data') || half?.stream.headers.get('streamtype') === type) {
    stream.destroy();
    return undefined;
  }
  if (half === undefined) {
    const timer = setTimeout(() => halves.delete(request) && stream.destroy(), PAIR_TIMEOUT).unref();
    halves.set(request, { stream, timer });
    return undefined;
  }
  clearTimeout(half.timer);
  halves.delete(request);
  return type === 'data' ? { error: half.stream, data: stream } : { error: stream, data: half.stream };
}

/** Clients older than the header open the error stream first and the data stream, two numbers on, next. */
function requestId(stream: SpdyStream, type: string | undefined): string {
  return stream.headers.get('requestid') ?? `stream ${type === 'data' ? stream.id - 2 : stream.id}`;
}

async function forwardPair(backend: StreamBackend, pod: PodRef, { error, data }: Pair): Promise<void> {
  error.resume();
  try {
    await forward(backend, pod, parsePort(data.headers.get('port') ?? ''), { data, error });
  } catch (cause) {
    error.end(cause instanceof Error ? cause.message : String(cause));
    data.resume().end();
  }
}
