import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Session, StreamBackend } from '#lab/kubelet/stream/backend.ts';
import { handleStreamUpgrade } from '#lab/kubelet/stream/handle-upgrade.ts';

/** For tests: the streaming server on a unix socket, before a backend of which a test gives what it needs. */
export interface FakeKubelet extends AsyncDisposable {
  /** The address of a path for a WebSocket client. */
  webSocket(path: string): string;
  connect(): Socket;
  /** Kills all sessions that were begun. */
  killAll(): void;
}

const absent = (): Promise<never> => Promise.reject(new Error('not part of this test'));

export async function startKubelet(given: Partial<StreamBackend>): Promise<FakeKubelet> {
  const directory = await mkdtemp(join(tmpdir(), 'polder-kubelet-'));
  const path = join(directory, 'sock');
  const sessions: Session[] = [];
  const keep = (session: Session) => {
    sessions.push(session);
    return session;
  };
  const backend: StreamBackend = {
    exec: (request) => (given.exec ?? absent)(request).then(keep),
    attach: (request) => (given.attach ?? absent)(request).then(keep),
    portForward: given.portForward ?? absent,
  };
  const open = new Set<Duplex>();
  const server = createServer().on('upgrade', (req, socket, head) => {
    open.add(socket);
    void handleStreamUpgrade(req, socket, head, backend);
  });
  await once(server.listen(path), 'listening');
  return {
    webSocket: (target) => `ws+unix://${path}:${target}`,
    connect: () => connect(path),
    killAll: () => {
      for (const session of sessions) session.kill();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** The value when it has stopped to change for many turns of the event loop. */
export async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let same = 0; same < 200; same++) {
    await turn();
    if (value() !== last) same = 0;
    last = value();
  }
  return last;
}
