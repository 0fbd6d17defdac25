/** Clients of the supervisor that are told what has become of something, as often as it becomes something else. */

import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** Lines that a client says. One that is killed, with something unread, resets its connection: that is an end like others. */
export async function* linesOf(socket: Socket): AsyncGenerator<string> {
  socket.on('error', () => socket.destroy());
  try {
    for await (const line of createInterface({ input: socket })) yield line;
  } catch (error) {
    if (!socket.destroyed) throw error;
  }
}

interface Watcher {
  readonly look: () => object;
  told: string;
}

export class Watchers {
  readonly #watchers = new Map<Socket, Watcher>();
  #isWoken = false;

  /** Tells at once, and from then on. `look` may fail, for a moment in which a file cannot be read: then nothing is told. */
  add(socket: Socket, look: () => object): void {
    const watcher = { look, told: '' };
    this.#watchers.set(socket, watcher);
    socket.once('close', () => this.#watchers.delete(socket));
    tell(socket, watcher);
  }

  /** Something may have changed; several changes in a row are told as one. */
  wake(): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    setImmediate(() => {
      this.#isWoken = false;
      for (const [socket, watcher] of this.#watchers) tell(socket, watcher);
    });
  }
}

function tell(socket: Socket, watcher: Watcher): void {
  try {
    const text = JSON.stringify(watcher.look());
    if (text === watcher.told || socket.destroyed) return;
    watcher.told = text;
    socket.write(`${text}\n`);
  } catch {
    // The next change looks again.
  }
}
