/** An API server for tests of plugins that ask one: objects by path, and every request written down. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface FakeCluster {
  readonly kubeconfig: string;
  /** By path; what is not there is answered with 404. */
  readonly objects: Map<string, object>;
  /** `GET /api/v1/…` */
  readonly requests: string[];
  /** Bodies of PATCH requests. */
  readonly patches: Record<string, unknown>[];
  close(): Promise<void>;
}

export const POD_PATH = '/api/v1/namespaces/web/pods/p1';

export function networkPath(namespace: string, name: string): string {
  return `/apis/k8s.cni.cncf.io/v1/namespaces/${namespace}/network-attachment-definitions/${name}`;
}

export async function fakeCluster(t: TestContext, dir: string): Promise<FakeCluster> {
  const objects = new Map<string, object>();
  const requests: string[] = [];
  const patches: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    if (request.method === 'PATCH') patches.push(JSON.parse(Buffer.concat(chunks).toString()));
    const object = objects.get(request.url ?? '');
    response.writeHead(object ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(object ?? { kind: 'Status', code: 404, reason: 'NotFound', message: 'not found' }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const kubeconfig = join(dir, 'kubeconfig');
  const cluster = { name: 'c', cluster: { server: `http://127.0.0.1:${port}` } };
  const context = { name: 'x', context: { cluster: 'c', user: 'u' } };
  const file = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [cluster],
    contexts: [context],
    users: [{ name: 'u', user: {} }],
  };
  writeFileSync(kubeconfig, JSON.stringify({ ...file, 'current-context': 'x' }));
  const close = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  t.after(close);
  return { kubeconfig, objects, requests, patches, close };
}
