/** The agent's end of the CNI shim: a unix socket, a request a connection. */

import { chmodSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { takeNode } from '#cni/daemonless/lock.ts';
import { LeaseFolder } from '#cni/dhcp/folder.ts';
import { LeaseKeeper } from '#cni/dhcp/keeper.ts';
import { EndpointStore } from '#cni/ipam/store.ts';
import { KeyedLock } from '#cni/keyed-lock.ts';
import type { Log } from '#cni/log.ts';
import type { PluginHost } from '#cni/plugin.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
import { type AddressBook, NODE_CIDRS } from '#cni/pools/book.ts';
import { Callers } from '#cni/server/caller.ts';
import { dispatch } from '#cni/server/dispatch.ts';
import { reconcile } from '#cni/server/reconcile.ts';
import { peerCred } from '#kernel/ffi/sockets.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { PolderError } from '#spec/errors.ts';
import type { NodeNetwork } from '#spec/node-network.ts';
import { decodeCall, encodeAnswer, frameLength } from '#wire/cni/frame.ts';

export interface CniServerOptions {
  /** /run/polder/cni.sock */
  readonly socketPath: string;
  /** Where the journal lives; must survive the agent. */
  readonly stateDir: string;
  /** What the agent knows of its node; undefined until it knows: ADD is then refused with "try again later". */
  readonly nodeNetwork: () => NodeNetwork | undefined;
  /** `subnet.env` of the node, for the plugin flannel; absent: /run/flannel/subnet.env, as flanneld writes it. */
  readonly subnetFile?: string;
  /** For plugins that ask the API and have no kubeconfig of their own. */
  readonly kubeconfig?: string;
  /** Where pods' addresses come from, given the journal of endpoints; absent: the node's CIDRs. */
  readonly addresses?: (store: EndpointStore) => AddressBook;
  readonly log: Log;
  /** How long a freed address rests, milliseconds. */
  readonly coolDownMs?: number;
  /** Milliseconds of the wall clock. */
  readonly now?: () => number;
  /** Default: the kernel's. */
  readonly bootId?: string;
}

export interface CniServer extends AsyncDisposable {
  /** Pods of this node that are attached: what the calculators need of them. */
  endpoints(): readonly LocalEndpoint[];
  /** Calls back after each change of `endpoints()`. */
  onChange(listener: () => void): Disposable;
  /** Takes no more calls, ends those under way, gives the socket back. */
  close(): Promise<void>;
}

export const DEFAULT_COOL_DOWN_MS = 30_000;

/** A request must arrive whole within this time, or its connection is closed. */
const REQUEST_TIMEOUT_MS = 30_000;

/** @throws PolderError journal-damaged, cni-io (another agent serves the socket, the folder cannot be written). */
export async function startCniServer(options: CniServerOptions): Promise<CniServer> {
  mkdirSync(dirname(options.socketPath), { recursive: true });
  await refuseIfServed(options.socketPath);
  using stack = new DisposableStack();
  stack.use(await takeNode(options.socketPath));
  const store = new EndpointStore({
    path: join(options.stateDir, 'cni-endpoints.journal'),
    bootId: options.bootId ?? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    now: options.now ?? Date.now,
    coolDownMs: options.coolDownMs ?? DEFAULT_COOL_DOWN_MS,
  });
  const callers = new Callers();
  await reconcile(store, callers.own(), options.log);
  const folder = new LeaseFolder(options.socketPath, options.log);
  const keeper = new LeaseKeeper(folder, options.log);
  const host: PluginHost = {
    plugin: async (type) => PLUGINS.get(type),
    store,
    addresses: options.addresses?.(store) ?? NODE_CIDRS,
    nodeNetwork: options.nodeNetwork,
    leases: { folder, keeper },
    log: options.log,
    ...(options.subnetFile !== undefined && { subnetFile: options.subnetFile }),
    ...(options.kubeconfig !== undefined && { kubeconfig: options.kubeconfig }),
  };
  const connections = new Connections(host, callers);
  const server = createServer((socket) => connections.serve(socket));
  await listen(server, options.socketPath);
  const held = stack.move();
  const close = async () => {
    await connections.close(server);
    await keeper[Symbol.asyncDispose]();
    callers[Symbol.dispose]();
    store[Symbol.dispose]();
    held.dispose();
  };
  return {
    endpoints: () => store.endpoints(),
    onChange: (listener) => store.onChange(listener),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Two agents with one journal would give addresses twice. A socket that nobody serves is left from one that was killed. */
async function refuseIfServed(path: string): Promise<void> {
  const served = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
  if (served) throw new PolderError('cni-io', { what: `Another agent serves ${path} already` });
  rmSync(path, { force: true });
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.on('error', (error) =>
      reject(new PolderError('cni-io', { what: `Cannot listen at ${path}: ${error.message}` })),
    );
    // Room for a burst: a shim that is refused says "no agent".
    server.listen({ path, backlog: 1024 }, resolve);
  });
  // Whoever can connect can change the node's network.
  chmodSync(path, 0o600);
}

class Connections {
  readonly #host: PluginHost;
  readonly #callers: Callers;
  readonly #locks = new KeyedLock();
  readonly #open = new Set<Socket>();
  readonly #running = new Set<Promise<void>>();

  constructor(host: PluginHost, callers: Callers) {
    this.#host = host;
    this.#callers = callers;
  }

  serve(socket: Socket): void {
    const chunks: Buffer[] = [];
    let started = false;
    this.#open.add(socket);
    socket.setTimeout(REQUEST_TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#open.delete(socket));
    socket.on('data', (chunk) => {
      if (started) return;
      chunks.push(chunk);
      const frame = wholeFrame(chunks, socket);
      if (!frame) return;
      started = true;
      socket.setTimeout(0);
      const running = this.#answer(socket, frame).finally(() => this.#running.delete(running));
      this.#running.add(running);
    });
  }

  async #answer(socket: Socket, frame: Uint8Array): Promise<void> {
    try {
      const pid = peerCred(descriptorOf(socket)).pid;
      const answer = await dispatch(decodeCall(frame), {
        locks: this.#locks,
        host: this.#host,
        withCaller: (request, use) => this.#callers.of(pid, request.netnsOverride, use),
        abandoned: () => socket.destroyed,
      });
      if (!socket.destroyed) socket.end(encodeAnswer(answer.exit, answer.stdout));
    } catch (error) {
      this.#host.log.error({ error: String(error) }, 'cni connection failed');
      socket.destroy();
    }
  }

  async close(server: Server): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await Promise.all(this.#running);
    for (const socket of this.#open) socket.end();
    await closed;
  }
}

/** The request once it is all there; the usual one comes in one chunk. */
function wholeFrame(chunks: Buffer[], socket: Socket): Uint8Array | undefined {
  const [first] = chunks;
  const bytes = chunks.length === 1 && first ? first : Buffer.concat(chunks);
  try {
    const length = frameLength(bytes);
    if (length === undefined || bytes.length < length) {
      chunks.splice(0, chunks.length, bytes);
      return undefined;
    }
    return bytes.subarray(0, length);
  } catch {
    // Not our shim: it gets no answer.
    socket.destroy();
    return undefined;
  }
}

/** Node does not tell the descriptor of a socket, but its handle has it. */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number' || fd < 0) throw new PolderError('cni-io', { what: 'The caller went away' });
  return fd;
}
