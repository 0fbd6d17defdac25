import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { StreamBackend } from '#lab/kubelet/stream/backend.ts';
import { handleStreamUpgrade } from '#lab/kubelet/stream/handle-upgrade.ts';
import { TokenIssuer } from '#serve/api/pki/tokens.ts';
import { PODS, startServer, type TestClient } from '#serve/api/testing/server.ts';

/** The real API server with one running pod `web`, whose kubelet is the streaming server before a test's backend. */
export interface Cluster extends AsyncDisposable {
  /** How kubectl reaches it. */
  readonly flags: readonly string[];
  /** A directory that goes with the cluster. */
  readonly directory: string;
  /** The upgrades that reached the kubelet: `SPDY/3.1 v4.channel.k8s.io,…`, `websocket v5.channel.k8s.io`. */
  readonly upgrades: readonly string[];
  /** Cuts every connection to the API server, as a network failure would. */
  cut(): void;
}

export async function startCluster(backend: StreamBackend): Promise<Cluster> {
  await using stack = new AsyncDisposableStack();
  const api = stack.use(await startServer());
  const token = new TokenIssuer(api.dataDir).issue({ name: 'admin', groups: ['system:masters'] }, Date.now());
  const upgrades: string[] = [];
  const kubelet = createServer().on('upgrade', (req, socket, head) => {
    upgrades.push(upgradeOf(req));
    void handleStreamUpgrade(req, socket, head, backend);
  });
  await once(kubelet.listen(join(api.dataDir, 'node1.sock')), 'listening');
  stack.defer(() => void kubelet.close());
  const wire = stack.use(await startWire(api.port));
  await makePod(api.client);
  const flags = [
    `--server=https://127.0.0.1:${wire.port}`,
    `--certificate-authority=${join(api.dataDir, 'pki/ca.crt')}`,
    `--token=${token}`,
    `--cache-dir=${join(api.dataDir, 'cache')}`,
  ];
  const moved = stack.move();
  return {
    flags,
    directory: api.dataDir,
    upgrades,
    cut: wire.cut,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

function upgradeOf({ headers }: IncomingMessage): string {
  return `${headers.upgrade} ${headers['sec-websocket-protocol'] ?? headers['x-stream-protocol-version']}`;
}

interface Wire extends Disposable {
  readonly port: number;
  cut(): void;
}

/** What stands for the network between kubectl and the API server. */
async function startWire(apiPort: number): Promise<Wire> {
  const open = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: '127.0.0.1', port: apiPort, allowHalfOpen: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one
        .on('error', () => undefined)
        .once('close', () => {
          open.delete(one);
          other.destroySoon();
        });
      one.pipe(other);
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    [Symbol.dispose]() {
      cut();
      server.close();
    },
  };
}

async function makePod(client: TestClient): Promise<void> {
  const containers = ['main', 'gone'].map((name) => ({ name, image: 'busybox' }));
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', annotations: { 'kubectl.kubernetes.io/default-container': 'main' } },
    spec: { nodeName: 'node1', containers },
  };
  await client.ask('POST', PODS, pod);
  const patch = { headers: { 'Content-Type': 'application/merge-patch+json' } };
  await client.ask('PATCH', `${PODS}/web/status`, { status: { phase: 'Running' } }, patch);
}
