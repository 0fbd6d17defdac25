/** Callers at a listening unix socket: a request a connection, an answer, the end. */

import { setImmediate } from 'node:timers';
import type { Log } from '#cni/log.ts';
import { pollReadable } from '#kernel/ffi/poll.ts';
import { isOwnRoot } from '#kernel/ffi/root.ts';
import { closeFd, netnsCookie, peerCred } from '#kernel/ffi/sockets.ts';
import { closeReceived, type Received, receiveMessage } from '#kernel/ffi/unix-message.ts';
import { acceptOne, peerGone, refuseMore, sendBytes } from '#kernel/ffi/unix-socket.ts';
import { frameLength } from '#wire/cni/frame.ts';

/** A request must arrive whole within this time, or its connection is closed; the shim gives up by then, too. */
const REQUEST_TIMEOUT_MS = 150_000;

/** What a shim takes to read its standard input, if that is there. Only processes of our own user can connect and be silent. */
const SOON_MS = 1;

/** How long nobody is taken after one could not be. */
const REST_MS = 100;

/** Whoever asks. */
export class Peer {
  readonly #fd: number;
  readonly #root: number | undefined;

  /** @param root descriptor of its root directory, if it has sent one */
  constructor(fd: number, root: number | undefined) {
    this.#fd = fd;
    this.#root = root;
  }

  get pid(): number {
    return peerCred(this.#fd).pid;
  }

  /** Of its network namespace. */
  get netnsCookie(): bigint | undefined {
    return netnsCookie(this.#fd);
  }

  /** Whether paths mean the same to it as to this process; undefined: it cannot be told by what it has sent. */
  get sameRoot(): boolean | undefined {
    return this.#root === undefined ? undefined : isOwnRoot(this.#root);
  }

  /** True once nobody waits for the answer any more. */
  gone(): boolean {
    return peerGone(this.#fd);
  }
}

/** @param frame is valid until this returns its promise. @returns the bytes of the answer. */
export type Serve = (frame: Uint8Array, peer: Peer) => Promise<Uint8Array>;

export class Connections {
  readonly #listener: number;
  readonly #serve: Serve;
  readonly #log: Log;
  #poll: { close(): void };
  /** Nobody is taken until then, since nobody could be. */
  #pause: NodeJS.Timeout | undefined;
  /** The last caller could not be taken, and that was said. */
  #failing = false;
  readonly #waiting = new Set<Incoming>();
  #running = 0;
  /** Called when the last request under way is answered. */
  #drained: (() => void) | undefined;
  #closed = false;

  /** Owns the listening descriptor. */
  constructor(listener: number, serve: Serve, log: Log) {
    this.#listener = listener;
    this.#serve = serve;
    this.#log = log;
    this.#poll = this.#watch();
  }

  /** One at a wake-up: what it can do without waiting is done before the next is taken. */
  #watch(): { close(): void } {
    return pollReadable(this.#listener, () => void this.#acceptOne());
  }

  /** True while a request is under way, or may be. */
  get busy(): boolean {
    return this.#running > 0 || this.#waiting.size > 0;
  }

  /** Takes no more callers, except those that have connected already; ends when they have their answers. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#pause);
    this.#poll.close();
    refuseMore(this.#listener);
    while (this.#acceptOne());
    // A request that is not whole by now is not waited for.
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (const incoming of this.#waiting) incoming.drop();
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      if (this.#running === 0) resolve();
    });
    closeFd(this.#listener);
  }

  #acceptOne(): boolean {
    try {
      const fd = acceptOne(this.#listener);
      if (fd === undefined) return false;
      this.#failing = false;
      this.#receive(fd);
      return true;
    } catch (error) {
      if (!this.#failing) this.#log.error({ error: String(error) }, 'cni callers cannot be taken now');
      this.#failing = true;
      this.#rest();
      return false;
    }
  }

  /** Who waits goes on waking us: without descriptors (EMFILE, ENFILE) we would do nothing else. */
  #rest(): void {
    if (this.#closed) return;
    this.#poll.close();
    this.#pause = setTimeout(() => {
      this.#poll = this.#watch();
    }, REST_MS);
  }

  /** The shim connects before it reads its standard input: mostly the request is there once we have come so far. */
  #receive(fd: number): void {
    let first: Received | undefined;
    try {
      first = receiveMessage(fd, SOON_MS);
      const frame = first && wholeFrame(first.bytes);
      if (first && frame) void this.#answer(fd, frame, first.descriptor);
      else if (first?.bytes.length === 0) closeFd(fd);
      else this.#await(fd, first);
    } catch {
      // It has gone, or is not our shim.
      if (first) closeReceived(first);
      closeFd(fd);
    }
  }

  #await(fd: number, first: Received | undefined): void {
    const incoming = new Incoming(fd, first, (frame, root) => {
      this.#waiting.delete(incoming);
      if (frame) return void this.#answer(fd, frame, root);
      if (root !== undefined) closeFd(root);
      closeFd(fd);
    });
    this.#waiting.add(incoming);
  }

  async #answer(fd: number, frame: Uint8Array, root: number | undefined): Promise<void> {
    this.#running++;
    try {
      await sendBytes(fd, await this.#serve(frame, new Peer(fd, root)));
    } catch (error) {
      if (!peerGone(fd)) this.#log.error({ error: String(error) }, 'cni connection failed');
    } finally {
      closeFd(fd);
      if (root !== undefined) closeFd(root);
      this.#running--;
      if (this.#running === 0) this.#drained?.();
    }
  }
}

/** Undefined while it is not whole. @throws PolderError if it is none of our shim's */
function wholeFrame(bytes: Uint8Array): Uint8Array | undefined {
  const length = frameLength(bytes);
  if (length === undefined || bytes.length < length) return undefined;
  return bytes.length === length ? bytes : bytes.subarray(0, length);
}

/** A connection whose request was not whole at the first look. */
class Incoming {
  readonly #fd: number;
  readonly #done: (frame: Uint8Array | undefined, root: number | undefined) => void;
  readonly #poll: { close(): void };
  readonly #timeout: NodeJS.Timeout;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Comes with the first bytes. */
  #root: number | undefined;

  /** @param done is told the request once it is whole, or undefined: the caller has gone, or is not our shim; and its root */
  constructor(
    fd: number,
    first: Received | undefined,
    done: (frame: Uint8Array | undefined, root: number | undefined) => void,
  ) {
    this.#fd = fd;
    this.#done = done;
    if (first) this.#take(first);
    this.#poll = pollReadable(fd, () => this.#read());
    this.#timeout = setTimeout(() => this.drop(), REQUEST_TIMEOUT_MS);
  }

  #read(): void {
    try {
      const more = receiveMessage(this.#fd);
      if (more) this.#take(more);
      const frame = wholeFrame(this.#bytes);
      if (frame || more?.bytes.length === 0) this.#end(frame);
    } catch {
      this.drop();
    }
  }

  #take(received: Received): void {
    if (this.#bytes.length === 0) this.#root = received.descriptor;
    else closeReceived(received);
    this.#bytes = joined(this.#bytes, received.bytes);
  }

  drop(): void {
    this.#end(undefined);
  }

  #end(frame: Uint8Array | undefined): void {
    clearTimeout(this.#timeout);
    this.#poll.close();
    this.#done(frame, this.#root);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
