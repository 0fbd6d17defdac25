import type { Duplex, Writable } from 'node:stream';
import type { PodRef, StreamBackend } from '#lab/kubelet/stream/backend.ts';

/** One forwarded connection as the client sees it: its bytes, and where to say what went wrong. */
export interface ForwardEnds {
  readonly data: Duplex;
  readonly error: Writable;
}

/**
 * Joins one client's connection and a port of the pod, until both directions have ended. A half close passes through;
 * a broken connection on one side breaks the other. A port that refuses is told on the error stream, as the real
 * kubelet words it; clients then give up the whole session.
 */
export async function forward(backend: StreamBackend, pod: PodRef, port: number, ends: ForwardEnds): Promise<void> {
  const { data, error } = ends;
  // Either may break at any time; `close` tells what matters.
  data.on('error', () => undefined);
  error.on('error', () => undefined);
  const socket = await connect(backend, pod, port, ends);
  if (socket === undefined) return;
  const dataClosed = () => {
    // After a proper end what the client sent may still be on its way into the socket.
    if (!data.readableEnded) socket.destroy();
  };
  data.once('close', dataClosed);
  if (data.destroyed) dataClosed();
  socket.on('error', () => data.destroy()).once('close', () => finish(socket, ends));
  socket.once('end', () => error.end());
  data.pipe(socket).pipe(data);
  await new Promise((resolve) => socket.once('close', resolve));
}

async function connect(
  backend: StreamBackend,
  pod: PodRef,
  port: number,
  ends: ForwardEnds,
): Promise<Duplex | undefined> {
  try {
    return await backend.portForward({ pod, port });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    ends.error.end(`error forwarding port ${port} to pod ${pod.name}, uid ${pod.uid ?? ''}: ${reason}`);
    ends.data.resume().end();
    return undefined;
  }
}

/** The pod's side is closed: cut off in the middle, the client must not take what it has for the whole. */
function finish(socket: Duplex, { data, error }: ForwardEnds): void {
  error.end();
  if (socket.readableEnded) data.resume();
  else data.destroy();
}
