/** The TLS listeners: any number of addresses and inherited sockets, one set of handlers. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { KeyPair } from '#serve/api/pki/certificates.ts';
import { type Door, requestListener, upgradeListener } from '#serve/api/server.ts';
import { PolderError } from '#spec/errors.ts';

export type ListenSpec = { readonly host: string; readonly port: number } | { readonly fd: number };

/** Listening sockets that answer as soon as they have a certificate. */
export interface Listeners extends AsyncDisposable {
  readonly addresses: readonly AddressInfo[];
  setCertificate(pair: KeyPair, ca: string): void;
}

/** @throws PolderError port-in-use, usage; nothing listens then */
export async function openListeners(specs: readonly ListenSpec[], door: Door): Promise<Listeners> {
  await using stack = new AsyncDisposableStack();
  const servers: Server[] = [];
  for (const spec of specs) {
    const server = makeServer(door);
    const sockets = socketsOf(server);
    servers.push(stack.adopt(await listen(server, spec), () => close(server, sockets)));
  }
  const held = stack.move();
  return {
    addresses: servers.map(addressOf),
    setCertificate: (pair, ca) => {
      for (const server of servers) server.setSecureContext({ cert: pair.certificate, key: pair.key, ca });
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

function makeServer(door: Door): Server {
  const { requestMs } = door.api.limits;
  const server = createServer({
    requestCert: true,
    // Who has no certificate may have a token; without either the answer is 401.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    keepAliveTimeout: 120_000,
    handshakeTimeout: requestMs / 10,
    headersTimeout: requestMs / 10,
    requestTimeout: requestMs,
    connectionsCheckingInterval: requestMs / 10,
    maxHeaderSize: 64 * 1024,
    allowHalfOpen: true,
    // Watches of clients that vanished without a word are found out.
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  });
  server.on('request', requestListener(door));
  server.on('upgrade', upgradeListener(door));
  server.on('clientError', (_, socket) => socket.destroy());
  return server;
}

function listen(server: Server, spec: ListenSpec): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  server.once('error', (error) => reject(asPolderError(error, spec)));
  try {
    server.listen(spec, () => resolve(server));
  } catch (error) {
    reject(asPolderError(error, spec));
  }
  return promise;
}

function asPolderError(error: unknown, spec: ListenSpec): PolderError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE' && 'host' in spec) {
    return new PolderError('port-in-use', { port: spec.port, address: spec.host, by: '' }, { cause: error });
  }
  const where = 'host' in spec ? `${spec.host}:${spec.port}` : `descriptor ${spec.fd}`;
  const reason = error instanceof Error ? error.message : String(error);
  return new PolderError('usage', { what: `Cannot listen on ${where}: ${reason}.` }, { cause: error });
}

function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('Cannot serve: the socket is no TCP socket');
  return address;
}

/** All that are open: one whose client has ended its half is no connection to the HTTP server any more, yet holds it. */
function socketsOf(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  for (const socket of sockets) socket.destroy();
  return promise;
}
