import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { StreamBackend } from '#lab/kubelet/stream/backend.ts';
import { handleStreamUpgrade } from '#lab/kubelet/stream/handle-upgrade.ts';

/**
 * As much of a cluster as `kubectl exec` and `port-forward` want to see: discovery, one pod `web`, and its kubelet on a
 * unix socket behind it, to which upgraded connections are passed through as the API server does.
 */
export interface FakeCluster extends AsyncDisposable {
  readonly url: string;
  /** A directory of its own, gone with the cluster. */
  readonly directory: string;
  /** The upgrades that were asked for: `SPDY/3.1 v4.channel.k8s.io,…`, `websocket v5.channel.k8s.io`. */
  readonly upgrades: readonly string[];
  /** Cuts every connection, as a network failure would. */
  cut(): void;
}

export async function startFakeCluster(backend: StreamBackend): Promise<FakeCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'polder-stream-'));
  const socketPath = join(directory, 'kubelet.sock');
  const kubelet = createServer().on('upgrade', (req, socket, head) => {
    void handleStreamUpgrade(req, socket, head, backend);
  });
  const connections = new Set<Duplex>();
  const upgrades: string[] = [];
  const api = createServer(answer).on('upgrade', (req, socket, head) => {
    const { upgrade, ...headers } = req.headers;
    upgrades.push(`${upgrade} ${headers['sec-websocket-protocol'] ?? headers['x-stream-protocol-version']}`);
    proxy(req, socket, head, socketPath);
  });
  api.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  await listening(kubelet.listen(socketPath));
  const address = await listening(api.listen(0, '127.0.0.1'));
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const cut = () => {
    for (const socket of connections) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    directory,
    upgrades,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      api.close();
      kubelet.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function listening(server: Server): Promise<AddressInfo | string | null> {
  await once(server, 'listening');
  return server.address();
}

/** Passes an upgraded connection through, request line and headers rewritten, bytes untouched. */
function proxy(req: IncomingMessage, socket: Duplex, head: Buffer, socketPath: string): void {
  const upstream = connect(socketPath);
  const lines = [`${req.method} ${kubeletPath(req.url ?? '')} HTTP/1.1`];
  for (let index = 0; index < req.rawHeaders.length; index += 2) {
    lines.push(`${req.rawHeaders[index]}: ${req.rawHeaders[index + 1]}`);
  }
  upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
  upstream.write(head);
  socket.pipe(upstream).pipe(socket);
  socket.on('error', () => undefined).once('close', () => upstream.destroy());
  upstream.on('error', () => undefined).once('close', () => socket.end());
}

function kubeletPath(url: string): string {
  const { pathname, search, searchParams } = new URL(url, 'http://api');
  const [, namespace, pod, verb] = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/(\w+)$/.exec(pathname) ?? [];
  if (verb === 'portforward') return `/portForward/${namespace}/${pod}${search}`;
  return `/${verb}/${namespace}/${pod}/${searchParams.get('container') ?? 'main'}${search}`;
}

const POD = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: '4d2c',
    annotations: { 'kubectl.kubernetes.io/default-container': 'main' },
  },
  spec: {
    containers: [
      { name: 'main', image: 'busybox' },
      { name: 'gone', image: 'busybox' },
    ],
  },
  status: { phase: 'Running' },
};

const RESOURCES = ['pods', 'pods/exec', 'pods/attach', 'pods/portforward'].map((name) => ({
  name,
  singularName: '',
  namespaced: true,
  kind: 'Pod',
  verbs: ['create', 'get'],
}));

const ANSWERS: Readonly<Record<string, unknown>> = {
  '/version': { major: '1', minor: '33', gitVersion: 'v1.33.0' },
  '/api': { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': { kind: 'APIResourceList', groupVersion: 'v1', resources: RESOURCES },
  '/api/v1/namespaces/default/pods/web': POD,
};

function answer(req: IncomingMessage, res: ServerResponse): void {
  const { pathname } = new URL(req.url ?? '', 'http://api');
  const found = ANSWERS[pathname];
  res.writeHead(found === undefined ? 404 : 200, { 'Content-Type': 'application/json' });
  const missing = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 };
  res.end(JSON.stringify(found ?? missing));
}
