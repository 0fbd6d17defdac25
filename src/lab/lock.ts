/**
 * One command at a time changes a lab. The lock is a listening socket in Linux's abstract namespace (unix(7)): taking
 * it is atomic, and the kernel gives it back when the process ends in whatever way, so that nothing is ever stale.
 */

import { connect, createServer, type Server } from 'node:net';
import { PolderError } from '#spec/errors.ts';

const TURN_MS = 20;

function lockName(lab: string): string {
  return `\0polder-lab-${lab}`;
}

/** Held until disposed or the end of the process. @throws PolderError 'lab-name-in-use' */
export async function lockLab(lab: string): Promise<Disposable> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${process.pid}`);
  });
  if (await listens(server, lockName(lab))) {
    server.unref();
    return { [Symbol.dispose]: () => void server.close() };
  }
  const holder = await holderOf(lab);
  throw new PolderError('lab-name-in-use', { lab, by: holder === '' ? '' : ` (process ${holder})` });
}

/**
 * One command at a time chooses the port of a new lab, from the look at those of the others until its own is written
 * down. Waits for its turn: that is short.
 */
export async function lockPorts(): Promise<Disposable> {
  for (;;) {
    const server = createServer((socket) => socket.destroy());
    if (await listens(server, '\0polder-ports')) return { [Symbol.dispose]: () => void server.close() };
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  }
}

function listens(server: Server, name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if ('code' in error && error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(name, () => resolve(true));
  });
}

/** What the holder says of itself: its process id; empty if it is busy or has just gone. */
function holderOf(lab: string): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(lockName(lab));
    socket.setTimeout(500, () => socket.destroy());
    socket.on('data', (data) => {
      said += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(said));
  });
}
