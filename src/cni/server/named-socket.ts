/**
 * A listening unix socket that keeps its name. Without it nobody can call, and nothing ends: whatever takes the name away
 * (somebody who cleans up, a tool that empties /run), it is taken again.
 */

import { chmodSync, type FSWatcher, lstatSync, mkdirSync, rmSync, watch } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { Log } from '#cni/log.ts';
import { Connections, type Serve } from '#cni/server/connections.ts';
import { listenUnix } from '#kernel/ffi/unix-socket.ts';
import { PolderError } from '#spec/errors.ts';

/** How often the name is looked at where its folder cannot be watched, or when it could not be taken. Milliseconds. */
const LOOK_MS = 5_000;

export class NamedSocket {
  readonly #path: string;
  readonly #serve: Serve;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #connections: Connections;
  /** Which file ours is. Its number is no other's for as long as the socket is open. */
  #name: string | undefined;
  #watcher: FSWatcher | undefined;
  /** Of sockets whose names were taken away: those who had connected. */
  #ending: Promise<unknown> = Promise.resolve();
  #looking = false;
  #trouble = '';
  #closed = false;

  /** Whoever makes one holds the node's lock: the name is taken from what is there. @throws PolderError cni-io */
  constructor(path: string, serve: Serve, log: Log) {
    this.#path = path;
    this.#serve = serve;
    this.#log = log;
    this.#connections = this.#listen();
    this.#timer = setInterval(() => void this.#look(), LOOK_MS).unref();
  }

  #listen(): Connections {
    const connections = new Connections(listen(this.#path), this.#serve, this.#log);
    this.#name = fileAt(this.#path);
    this.#watcher?.close();
    this.#watcher = watcherOf(dirname(this.#path), () => void this.#look());
    return connections;
  }

  async #look(): Promise<void> {
    if (this.#closed || this.#looking) return;
    this.#looking = true;
    try {
      if (fileAt(this.#path) !== this.#name) await this.#takeAgain();
    } catch (error) {
      this.#complain(String(error));
    } finally {
      this.#looking = false;
    }
  }

  /** Two that take the name from one another would serve nobody. */
  async #takeAgain(): Promise<void> {
    if (await isServed(this.#path)) return this.#complain(`another process serves ${this.#path}`);
    if (this.#closed) return;
    const former = this.#connections;
    this.#connections = this.#listen();
    this.#ending = Promise.all([this.#ending, former.close()]);
    this.#trouble = '';
    this.#log.warn({ path: this.#path }, 'the name of the CNI socket was taken away: it listens again');
  }

  /** Once, not at each look. */
  #complain(trouble: string): void {
    if (trouble !== this.#trouble) this.#log.error({ path: this.#path }, `nobody can call: ${trouble}`);
    this.#trouble = trouble;
  }

  /** Takes no more callers, except those that have connected already; ends when they have their answers. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#watcher?.close();
    if (fileAt(this.#path) === this.#name) rmSync(this.#path, { force: true });
    await Promise.all([this.#ending, this.#connections.close()]);
  }
}

/** Whether somebody listens there, also one who has no room for more callers now. */
export function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', (error) => resolve('code' in error && error.code === 'EAGAIN'));
  });
}

function listen(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    rmSync(path, { force: true });
    // Room for a burst: a shim that is refused says "no agent".
    const fd = listenUnix(path, 1024);
    // Whoever can connect can change the node's network.
    chmodSync(path, 0o600);
    return fd;
  } catch (error) {
    const what = `Cannot listen at ${path}: ${error instanceof Error ? error.message : error}`;
    throw new PolderError('cni-io', { what }, { cause: error });
  }
}

/** Undefined if there is none. */
function fileAt(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}

/** Undefined if this machine has no watches left. Tells also when the folder itself goes. */
function watcherOf(folder: string, look: () => void): FSWatcher | undefined {
  try {
    return watch(folder, look).on('error', look);
  } catch {
    return undefined;
  }
}
