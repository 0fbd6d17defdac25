/**
 * Plugins without an agent for more than one call: a process that the first call starts (native/cni-shim.c), that serves
 * those after it at a unix socket as the agent does, and that ends when nobody has called for a while.
 */

import { type FSWatcher, readlinkSync, rmSync, statSync, watch } from 'node:fs';
import { startPathOf } from '#cni/daemonless/lock.ts';
import { type AloneOptions, besideNoAgent, hostOf } from '#cni/daemonless/run.ts';
import { KeyedLock } from '#cni/keyed-lock.ts';
import { Callers } from '#cni/server/caller.ts';
import { Connections, type Peer, type Serve } from '#cni/server/connections.ts';
import { dispatch } from '#cni/server/dispatch.ts';
import { lockFile } from '#kernel/file-lock.ts';
import { decodeCall, encodeAnswer, RUN_BY_YOURSELF } from '#wire/cni/frame.ts';

export interface WorkerOptions extends AloneOptions {
  /** Descriptor of the listening socket; it is the worker's from now on. */
  readonly listener: number;
  /** The socket's name in the file system. */
  readonly path: string;
  /** How long to wait for the next call, milliseconds. */
  readonly idleMs?: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Called once, after the first answer. */
  readonly onServed?: () => void;
}

/** A burst of pods, and the pauses that a runtime makes between the steps of one. */
const IDLE_MS = 30_000;

/** Whoever starts a worker holds the lock for less than a millisecond. */
const LOCK_MS = 1_000;

/** Serves until it was idle for long enough, is told to end, or its socket's name is gone. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  using callers = new Callers();
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const idle = new Idle(options.idleMs ?? IDLE_MS, end);
  const connections = new Connections(options.listener, idle.around(serve(options, callers)), options.log);
  options.signal?.addEventListener('abort', () => end());
  const name = inodeOf(options.path);
  using _ = whenGone(options.path, name, end);
  await over;
  await giveUpName(options, name);
  // Whoever had connected before is served still.
  await connections.close();
  removeIfEmpty(`${options.path}.log`);
}

function serve(options: WorkerOptions, callers: Callers): Serve {
  const locks = new KeyedLock();
  const host = hostOf(options);
  const root = linksOf('self', ROOT);
  const rights = linksOf('self', RIGHTS);
  const isLikeUs = ({ pid, sameRoot }: Peer) =>
    linksOf(pid, RIGHTS) === rights && (sameRoot ?? linksOf(pid, ROOT) === root);
  let served = false;
  return async (frame, peer) => {
    if (!isLikeUs(peer)) return encodeAnswer(RUN_BY_YOURSELF, '');
    const call = decodeCall(frame);
    const answer = await besideNoAgent(call, options.socketPath, () =>
      dispatch(call, {
        locks,
        host,
        withCaller: (request, use) => callers.of(peer, request.netnsOverride, use),
        abandoned: () => peer.gone(),
      }),
    );
    if (!served) setImmediate(() => options.onServed?.());
    served = true;
    return encodeAnswer(answer.exit, answer.stdout);
  };
}

/**
 * What paths mean to a process, and what it may do: a call from elsewhere is not ours. (The network namespace may be
 * another: plugins act in the caller's.) A process that cannot be seen from here has neither.
 */
const ROOT = ['ns/mnt', 'root'];
const RIGHTS = ['ns/user'];

function linksOf(pid: number | 'self', names: readonly string[]): string | undefined {
  try {
    return names.map((name) => readlinkSync(`/proc/${pid}/${name}`)).join(' ');
  } catch {
    return undefined;
  }
}

/** Tells when no call was under way for a time. */
class Idle {
  readonly #ms: number;
  readonly #over: () => void;
  #timer: NodeJS.Timeout;
  #calls = 0;

  constructor(ms: number, over: () => void) {
    this.#ms = ms;
    this.#over = over;
    this.#timer = setTimeout(over, ms);
  }

  around(serve: Serve): Serve {
    return async (frame: Uint8Array, peer: Peer) => {
      clearTimeout(this.#timer);
      this.#calls++;
      try {
        return await serve(frame, peer);
      } finally {
        this.#calls--;
        if (this.#calls === 0) this.#timer = setTimeout(this.#over, this.#ms);
      }
    };
  }
}

/** Undefined if there is no such file (any more). */
function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

/** Nobody can find a worker whose name was taken away: with its folder, by hand, or by another's. */
function whenGone(path: string, name: number | undefined, gone: () => void): Disposable {
  const look = () => {
    if (name === undefined || inodeOf(path) !== name) gone();
  };
  const watcher = watcherOf(path, look);
  look();
  return { [Symbol.dispose]: () => watcher?.close() };
}

/** Undefined if this machine has no watches left: then it is found out when it is idle. */
function watcherOf(path: string, look: () => void): FSWatcher | undefined {
  try {
    return watch(path, look).on('error', look);
  } catch {
    return undefined;
  }
}

/** From now on a call starts another worker. Under the lock under which that would take the name. */
async function giveUpName({ path, socketPath }: WorkerOptions, name: number | undefined): Promise<void> {
  try {
    using _ = await lockFile(startPathOf(socketPath), 'exclusive', LOCK_MS);
    if (inodeOf(path) === name) rmSync(path, { force: true });
  } catch {
    // The folder is gone, and the name with it.
  }
}

/** What went wrong in a worker is told there (native/cni-shim.c makes it its standard error). */
function removeIfEmpty(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.size === 0) rmSync(path, { force: true });
}
