import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ExitStatus, Session } from '#lab/kubelet/stream/backend.ts';
import { ResizeReader } from '#lab/kubelet/stream/resize.ts';

/** The client's end of an exec or attach, whichever protocol it speaks. Streams that were not asked for are missing. */
export interface RemoteStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly resize: Readable | undefined;
  /** Tells how the session ended, after all its output, and lets go of the connection when the client has read it. */
  finish(exit: ExitStatus): void;
  /** Resolves when the connection is gone, whoever closed it. */
  readonly gone: Promise<void>;
}

/**
 * Joins a session and a client until the session ends: output is read to its end before the client learns of the exit.
 * A client that goes away earlier takes the session with it (`kill`).
 */
export async function relay(session: Session, remote: RemoteStreams): Promise<void> {
  const kill = remote.gone.then(() => session.kill());
  if (remote.stdin !== undefined) feed(remote.stdin, session.stdin);
  if (remote.resize !== undefined) followSize(remote.resize, session);
  const output = [drain(session.stdout, remote.stdout), drain(session.stderr, remote.stderr)];
  const exit = await session.exit;
  await Promise.race([Promise.all(output), kill]);
  remote.finish(exit);
}

/** What a process that has closed its stdin will not read is thrown away: a client that goes on sending must not stall. */
function feed(source: Readable, sink: Writable | undefined): void {
  if (sink === undefined) {
    source.resume();
    return;
  }
  const discard = () => {
    source.unpipe(sink);
    source.resume();
  };
  sink.once('error', discard).once('close', discard);
  // A stream that the client resets has no proper end; to the process it is one.
  source.once('close', () => sink.end());
  source.pipe(sink);
}

async function drain(source: Readable | undefined, sink: Writable | undefined): Promise<void> {
  if (source === undefined) sink?.end();
  else if (sink === undefined) source.resume();
  // Either end may break: the process's exit or the client's going is what counts, and is told elsewhere.
  else await pipeline(source, sink).catch(() => undefined);
}

function followSize(source: Readable, session: Session): void {
  const reader = new ResizeReader();
  source.on('data', (bytes: Uint8Array) => {
    for (const { cols, rows } of reader.push(bytes)) session.resize(cols, rows);
  });
}
