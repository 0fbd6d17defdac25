/** Callers at a listening unix socket: a request a connection, an answer, the end. */

import { setImmediate } from 'node:timers';
import type { Log } from '#cni/log.ts';
import { pollReadable } from '#kernel/ffi/poll.ts';
import { closeFd, netnsCookie, peerCred } from '#kernel/ffi/sockets.ts';
import { acceptOne, peerGone, receiveBytes, refuseMore, sendBytes } from '#kernel/ffi/unix-socket.ts';
import { frameLength } from '#wire/cni/frame.ts';

/** A request must arrive whole within this time, or its connection is closed; the shim gives up by then, too. */
const REQUEST_TIMEOUT_MS = 150_000;

/** What a shim takes to read its standard input, if that is there. Only processes of our own user can connect and be silent. */
const SOON_MS = 1;

/** One for all connections: what is received is read or copied out before the next call. The usual request has 1 kB. */
const buffer = new Uint8Array(64 * 1024);

/** Whoever asks. */
export class Peer {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get pid(): number {
    return peerCred(this.#fd).pid;
  }

  /** Of its network namespace. */
  get netnsCookie(): bigint | undefined {
    return netnsCookie(this.#fd);
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
  readonly #poll: { close(): void };
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
    // One at a wake-up: what it can do without waiting is done before the next is taken.
    this.#poll = pollReadable(listener, () => void this.#acceptOne());
  }

  /** True while a request is under way, or may be. */
  get busy(): boolean {
    return this.#running > 0 || this.#waiting.size > 0;
  }

  /** Takes no more callers, except those that have connected already; ends when they have their answers. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
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
      this.#receive(fd);
      return true;
    } catch (error) {
      this.#log.error({ error: String(error) }, 'cni connection failed');
      return false;
    }
  }

  /** The shim connects before it reads its standard input: mostly the request is there once we have come so far. */
  #receive(fd: number): void {
    try {
      const bytes = receiveSome(fd, SOON_MS);
      const frame = bytes && wholeFrame(bytes);
      if (frame) void this.#answer(fd, frame);
      else if (bytes) this.#await(fd, bytes);
      else closeFd(fd);
    } catch {
      // It has gone, or is not our shim.
      closeFd(fd);
    }
  }

  #await(fd: number, first: Uint8Array): void {
    const incoming = new Incoming(fd, first, (frame) => {
      this.#waiting.delete(incoming);
      if (frame) void this.#answer(fd, frame);
      else closeFd(fd);
    });
    this.#waiting.add(incoming);
  }

  async #answer(fd: number, frame: Uint8Array): Promise<void> {
    this.#running++;
    try {
      await sendBytes(fd, await this.#serve(frame, new Peer(fd)));
    } catch (error) {
      if (!peerGone(fd)) this.#log.error({ error: String(error) }, 'cni connection failed');
    } finally {
      closeFd(fd);
      this.#running--;
      if (this.#running === 0) this.#drained?.();
    }
  }
}

/** In the buffer of all; empty if nothing has come within `patienceMs` milliseconds, undefined at the end of the stream. */
function receiveSome(fd: number, patienceMs = 0): Uint8Array | undefined {
  const length = receiveBytes(fd, buffer, patienceMs);
  return length === 0 ? undefined : buffer.subarray(0, length ?? 0);
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
  readonly #done: (frame: Uint8Array | undefined) => void;
  readonly #poll: { close(): void };
  readonly #timeout: NodeJS.Timeout;
  #bytes: Uint8Array;

  /** @param done is told the request once it is whole, or undefined: the caller has gone, or is not our shim */
  constructor(fd: number, first: Uint8Array, done: (frame: Uint8Array | undefined) => void) {
    this.#fd = fd;
    this.#done = done;
    this.#bytes = first.slice();
    this.#poll = pollReadable(fd, () => this.#read());
    this.#timeout = setTimeout(() => this.drop(), REQUEST_TIMEOUT_MS);
  }

  #read(): void {
    try {
      const more = receiveSome(this.#fd);
      if (more) this.#bytes = joined(this.#bytes, more);
      const frame = wholeFrame(this.#bytes);
      if (frame || !more) this.#end(frame);
    } catch {
      this.drop();
    }
  }

  drop(): void {
    this.#end(undefined);
  }

  #end(frame: Uint8Array | undefined): void {
    clearTimeout(this.#timeout);
    this.#poll.close();
    this.#done(frame);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
