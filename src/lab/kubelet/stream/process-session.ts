import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { ExitStatus, Session } from '#lab/kubelet/stream/backend.ts';

/** Which streams the client asked for. */
export interface WantedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/**
 * A child process with piped stdio as a session. Streams that are not wanted are closed to the child's input and thrown
 * away at its output. `kill` is called at most once, and only while the process runs.
 */
export function processSession(child: ChildProcess, wanted: WantedStreams, kill: () => void): Session {
  const exit = exitStatus(child);
  return {
    stdin: takeStdin(child.stdin, wanted.stdin),
    stdout: takeOutput(child.stdout, wanted.stdout),
    stderr: takeOutput(child.stderr, wanted.stderr),
    resize: () => undefined,
    exit,
    kill: onceWhileRunning(exit, kill),
  };
}

/** How the process ended: 128 and the signal's number for one that was killed, as shells say it. Never rejects. */
export function exitStatus(child: ChildProcess): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ error: error.message }));
    child.once('exit', (code, signal) => resolve({ code: code ?? 128 + (signal ? constants.signals[signal] : 0) }));
  });
}

/** `kill`, but at most once and never after the end. */
export function onceWhileRunning(exit: Promise<ExitStatus>, kill: () => void): () => void {
  let over = false;
  void exit.then(() => {
    over = true;
  });
  return () => {
    if (!over) kill();
    over = true;
  };
}

function takeStdin(stream: Writable | null, wanted: boolean): Writable | undefined {
  // The process may close its end first; the exit tells what there is to tell.
  stream?.on('error', () => undefined);
  if (!wanted) stream?.end();
  return wanted && stream !== null ? stream : undefined;
}

/**
 * Through a stream of our own: when a child exits, Node reads its unread stdio away, so that output which nobody has
 * begun to read would be lost.
 */
function takeOutput(stream: Readable | null, wanted: boolean): Readable | undefined {
  if (stream === null) return undefined;
  if (!wanted) {
    stream.resume();
    return undefined;
  }
  const kept = new PassThrough();
  kept.once('close', () => stream.destroy());
  stream.on('error', () => kept.end());
  return stream.pipe(kept);
}
