import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough, type Readable, Writable } from 'node:stream';
import { type AttachRequest, type Session, StreamRefusal } from '#lab/kubelet/stream/backend.ts';
import { FROM_TEND, TendReader, TO_TEND, tendFrame, tendSize } from '#lab/kubelet/stream/tend-frames.ts';

/**
 * Attaches to a running container at the socket of the `tend` that stays with it. The session ends, as success, with
 * the container; killing it only lets go. Output from before is in the log, not here.
 *
 * @throws StreamRefusal (400) when nobody listens there: the container does not run.
 */
export async function attachSession(socketPath: string, request: AttachRequest): Promise<Session> {
  const socket = connect(socketPath);
  try {
    await once(socket, 'connect');
  } catch {
    throw new StreamRefusal(400, `container ${request.container} is not running`);
  }
  socket.on('error', () => undefined);
  const stdout = request.stdout ? new PassThrough() : undefined;
  const stderr = request.stderr ? new PassThrough() : undefined;
  const drained = spread(socket, { [FROM_TEND.stdout]: stdout, [FROM_TEND.stderr]: stderr });
  return {
    stdin: request.stdin ? framedStdin(socket) : undefined,
    stdout,
    stderr,
    resize: (cols, rows) => void socket.write(tendSize(cols, rows)),
    exit: drained.then(() => ({ code: 0 })),
    kill: () => socket.destroy(),
  };
}

/** A stdin that reaches `tend` in frames; its end is a frame, too, as the channel itself stays for sizes. */
export function framedStdin(channel: Writable): Writable {
  const stdin = new Writable({
    write: (chunk: Uint8Array, _encoding, done) => void channel.write(tendFrame(TO_TEND.stdin, chunk), done),
    final: (done) => void channel.write(tendFrame(TO_TEND.endOfStdin), done),
  });
  // The process may be gone before its client has said everything.
  return stdin.on('error', () => undefined);
}

/** Gives each frame to the stream of its type, at the pace of the slower; resolves when the socket has ended. */
async function spread(socket: Socket, streams: Readonly<Record<number, PassThrough | undefined>>): Promise<void> {
  const reader = new TendReader();
  try {
    for await (const chunk of socket) for (const { type, bytes } of reader.push(chunk)) await put(streams[type], bytes);
  } catch {
    // A socket that breaks has ended.
  } finally {
    for (const stream of Object.values(streams)) stream?.end();
  }
}

async function put(stream: PassThrough | undefined, bytes: Uint8Array): Promise<void> {
  if (stream === undefined || stream.destroyed || stream.write(bytes)) return;
  await Promise.race([once(stream, 'drain'), closed(stream)]).catch(() => undefined);
}

function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}
