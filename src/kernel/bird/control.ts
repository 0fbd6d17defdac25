/** The control socket of a running BIRD. */

import { createConnection, type Socket } from 'node:net';
import { type BirdControl, BirdGone } from '#kernel/bird/handle.ts';
import { type Reply, ReplyDecoder } from '#wire/bird/reply.ts';

/** A large routing table takes a moment to print. Milliseconds. */
const ANSWER_MS = 20_000;

/** Undefined if nobody listens there. @throws BirdGone if what listens does not greet as BIRD does. */
export async function connectBird(path: string, answerMs = ANSWER_MS): Promise<BirdControl | undefined> {
  const socket = createConnection(path);
  const control = new SocketControl(socket, answerMs);
  const connected = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  if (!connected) return undefined;
  try {
    await control.greeting;
  } catch (error) {
    control.close();
    throw error;
  }
  return control;
}

interface Waiting {
  /** Absent for the greeting, which comes unasked. */
  readonly command?: string;
  resolve(reply: Reply): void;
  reject(error: Error): void;
  timer?: NodeJS.Timeout;
}

class SocketControl implements BirdControl {
  readonly closed: Promise<void>;
  readonly greeting: Promise<Reply>;
  readonly #socket: Socket;
  readonly #answerMs: number;
  /** The first is being answered. One at a time: BIRD closes the connection on whoever sends some 4 kB ahead. */
  readonly #waiting: Waiting[] = [];
  readonly #listeners: ((text: string) => void)[] = [];
  #ended = false;

  constructor(socket: Socket, answerMs: number) {
    this.#socket = socket;
    this.#answerMs = answerMs;
    const decoder = new ReplyDecoder((text) => {
      for (const listener of this.#listeners) listener(text);
    });
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      try {
        for (const reply of decoder.push(piece)) this.#answered(reply);
      } catch {
        socket.destroy(); // whatever this is, it is not BIRD
      }
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#ended = true;
        for (const waiting of this.#waiting.splice(0)) failWith(waiting, 'BIRD has ended');
        resolve();
      });
    });
    this.greeting = this.#next();
    this.greeting.catch(() => {}); // said to whoever waits for it
  }

  ask(command: string): Promise<Reply> {
    if (/[\r\n]/.test(command)) throw new RangeError('Cannot send a command of several lines to BIRD');
    if (this.#ended) return Promise.reject(new BirdGone('BIRD has ended'));
    return this.#next(command);
  }

  onSaid(handler: (text: string) => void): void {
    this.#listeners.push(handler);
  }

  #next(command?: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject, ...(command === undefined ? {} : { command }) });
      if (this.#waiting.length === 1) this.#send();
    });
  }

  #send(): void {
    const [first] = this.#waiting;
    if (!first) return;
    if (first.command !== undefined) this.#socket.write(`${first.command}\n`);
    first.timer = setTimeout(() => {
      failWith(first, `BIRD does not answer within ${this.#answerMs / 1000} s`);
      this.#socket.destroy();
    }, this.#answerMs);
  }

  #answered(reply: Reply): void {
    const first = this.#waiting.shift();
    clearTimeout(first?.timer);
    first?.resolve(reply);
    this.#send();
  }

  close(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function failWith({ timer, reject }: Waiting, why: string): void {
  clearTimeout(timer);
  reject(new BirdGone(why));
}
