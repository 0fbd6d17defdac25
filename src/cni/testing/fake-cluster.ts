/** An API server for tests of plugins that ask one: objects by path, and every request written down. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { isObject } from '#wire/cni/json.ts';

export interface FakeCluster {
  readonly kubeconfig: string;
  /** By path; what is not there is answered with 404, what is a Status with its code. */
  readonly objects: Map<string, object>;
  /** `GET /api/v1/…` */
  readonly requests: string[];
  /** Bodies of PATCH requests that were not refused. */
  readonly patches: Record<string, unknown>[];
  close(): Promise<void>;
}

const NOT_FOUND = { kind: 'Status', code: 404, reason: 'NotFound', message: 'not found' };
const CONFLICT = { kind: 'Status', code: 409, reason: 'Conflict', message: 'Precondition failed: UID in precondition' };

export const POD_PATH = '/api/v1/namespaces/web/pods/p1';

export function networkPath(namespace: string, name: string): string {
  return `/apis/k8s.cni.cncf.io/v1/namespaces/${namespace}/network-attachment-definitions/${name}`;
}

function isStatus(object: object): object is { readonly code: number } {
  return 'kind' in object && object.kind === 'Status' && 'code' in object && typeof object.code === 'number';
}

/** A patch that names a UID is for the object of that UID. */
function isOther(object: object, patch: unknown): boolean {
  const [wanted, own] = [uidIn(patch), uidIn(object)];
  return wanted !== undefined && wanted !== own;
}

function uidIn(value: unknown): unknown {
  return isObject(value) && isObject(value.metadata) ? value.metadata.uid : undefined;
}

export async function fakeCluster(t: TestContext, dir: string): Promise<FakeCluster> {
  const objects = new Map<string, object>();
  const requests: string[] = [];
  const patches: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const object = objects.get(request.url ?? '') ?? NOT_FOUND;
    const body: unknown = request.method === 'PATCH' ? JSON.parse(Buffer.concat(chunks).toString()) : undefined;
    const refused = isStatus(object) ? object : body !== undefined && isOther(object, body) ? CONFLICT : undefined;
    if (!refused && isObject(body)) patches.push(body);
    response.writeHead(refused?.code ?? 200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(refused ?? object));
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
