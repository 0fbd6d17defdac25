/** Callers at a listening unix socket: a request a connection, an answer, the end. */

import { setImmediate } from 'node:timers';
import type { Log } from '#cni/log.ts';
import { pollReadable } from '#kernel/ffi/poll.ts';
import { closeFd, peerCred } from '#kernel/ffi/sockets.ts';
import { acceptOne, peerGone, receiveBytes, refuseMore, sendBytes } from '#kernel/ffi/unix-socket.ts';
import { frameLength } from '#wire/cni/frame.ts';

/** A request must arrive whole within this time, or its connection is closed; the shim gives up by then, too. */
const REQUEST_TIMEOUT_MS = 150_000;

/** What a shim takes to read its standard input, if that is there. Only processes of our own user can connect and be silent. */
const SOON_MS = 1;

/** One for all connections: what is received is copied out before the next call. The usual request has 1 kB. */
const buffer = new Uint8Array(64 * 1024);

/** Whoever asks. */
export interface Peer {
  readonly pid: number;
  /** True once nobody waits for the answer any more. */
  gone(): boolean;
}

/** @returns the bytes of the answer. */
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
    const incoming = new Incoming(fd, (frame) => {
      this.#waiting.delete(incoming);
      if (frame) void this.#answer(fd, frame);
      else closeFd(fd);
    });
    this.#waiting.add(incoming);
    incoming.read(SOON_MS);
  }

  async #answer(fd: number, frame: Uint8Array): Promise<void> {
    this.#running++;
    try {
      const { pid } = peerCred(fd);
      await sendBytes(fd, await this.#serve(frame, { pid, gone: () => peerGone(fd) }));
    } catch (error) {
      if (!peerGone(fd)) this.#log.error({ error: String(error) }, 'cni connection failed');
    } finally {
      closeFd(fd);
      this.#running--;
      if (this.#running === 0) this.#drained?.();
    }
  }
}

/** A connection whose request is not whole yet: mostly it is at the first look. */
class Incoming {
  readonly #fd: number;
  readonly #done: (frame: Uint8Array | undefined) => void;
  #bytes: Uint8Array = new Uint8Array(0);
  #waits: { close(): void } | undefined;

  /** @param done is told the request once it is whole, or undefined: the caller has gone, or is not our shim */
  constructor(fd: number, done: (frame: Uint8Array | undefined) => void) {
    this.#fd = fd;
    this.#done = done;
  }

  /** @param patienceMs how long to wait here for the first bytes: less than watching the descriptor would cost */
  read(patienceMs = 0): void {
    try {
      const length = receiveBytes(this.#fd, buffer, patienceMs);
      if (length === 0) this.drop();
      else if (length === undefined) this.#wait();
      else this.#take(buffer.subarray(0, length));
    } catch {
      this.drop();
    }
  }

  #take(bytes: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? bytes.slice() : joined(this.#bytes, bytes);
    const whole = frameLength(this.#bytes);
    if (whole === undefined || this.#bytes.length < whole) this.#wait();
    else this.#end(this.#bytes.subarray(0, whole));
  }

  drop(): void {
    this.#end(undefined);
  }

  #wait(): void {
    if (this.#waits) return;
    const poll = pollReadable(this.#fd, () => this.read());
    const timeout = setTimeout(() => this.drop(), REQUEST_TIMEOUT_MS);
    this.#waits = {
      close() {
        clearTimeout(timeout);
        poll.close();
      },
    };
  }

  #end(frame: Uint8Array | undefined): void {
    this.#waits?.close();
    this.#done(frame);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
