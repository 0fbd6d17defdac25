import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { NODES, PODS, pod, startServer, type TestServer } from '#serve/api/testing/server.ts';
import { at, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';

const METRICS = '/apis/metrics.k8s.io/v1beta1';
const TIME = '2026-01-01T00:00:00.500Z';

const figures = (nano: number, bytes: number) => ({
  cpu: { time: TIME, windowSeconds: 10, usageNanoCores: nano, usageCoreNanoSeconds: 1 },
  memory: { time: TIME, workingSetBytes: bytes },
});

/** A kubelet that says this to everybody. */
async function startKubelet(server: TestServer, node: string, said: string): Promise<AsyncDisposable> {
  const kubelet = createServer((request, response) => {
    assert.equal(request.url, '/stats/summary');
    response.end(said);
  });
  kubelet.listen(join(server.dataDir, `${node}.sock`));
  await once(kubelet, 'listening');
  return {
    [Symbol.asyncDispose]: async () => {
      kubelet.closeAllConnections();
      kubelet.close();
    },
  };
}

async function twoNodes(server: TestServer): Promise<AsyncDisposable> {
  for (const name of ['node1', 'node2', 'silent']) {
    await server.client.ask('POST', NODES, { metadata: { name, labels: { zone: name } } });
  }
  for (const name of ['a', 'b'])
    await server.client.ask('POST', PODS, { ...pod(name), metadata: { name, labels: { app: name } } });
  const podOf = (name: string): JsonObject => ({
    podRef: { name, namespace: 'default' },
    containers: [{ name: 'main', ...figures(2_000_000, 2048) }],
  });
  const stack = new AsyncDisposableStack();
  const said = (nodeName: string, pods: JsonObject[]) =>
    JSON.stringify({ node: { nodeName, ...figures(150_000_000, 1_000_000) }, pods });
  stack.use(await startKubelet(server, 'node1', said('node1', [podOf('a'), podOf('gone')])));
  stack.use(await startKubelet(server, 'node2', said('node2', [podOf('b')])));
  return stack;
}

const names = (body: JsonObject) => objectsAt(body, 'items').map((item) => textAt(item, 'metadata', 'name'));

describe('metrics.k8s.io', () => {
  it('tells of the nodes whose kubelets answer, and of the pods that there are', async () => {
    await using server = await startServer();
    await using _nodes = await twoNodes(server);
    const { body } = await server.client.ask('GET', `${METRICS}/nodes`);
    assert.equal(textAt(body, 'kind'), 'NodeMetricsList');
    assert.deepEqual(names(body), ['node1', 'node2']);
    const [first] = objectsAt(body, 'items');
    assert.deepEqual(at(first ?? {}, 'usage'), { cpu: '150000000n', memory: '977Ki' });
    assert.equal(textAt(first ?? {}, 'window'), '10.000s');
    assert.equal(textAt(first ?? {}, 'timestamp'), '2026-01-01T00:00:00Z');
    assert.deepEqual(names((await server.client.ask('GET', `${METRICS}/pods`)).body), ['a', 'b']);
  });

  it('one by its name, some by their labels, as a Table for kubectl', async () => {
    await using server = await startServer();
    await using _nodes = await twoNodes(server);
    const pods = `${METRICS}/namespaces/default/pods`;
    const { body } = await server.client.ask('GET', `${pods}/b`);
    assert.deepEqual(at(body, 'containers'), [{ name: 'main', usage: { cpu: '2000000n', memory: '2Ki' } }]);
    assert.equal((await server.client.ask('GET', `${pods}/nobody`)).status, 404);
    assert.deepEqual(names((await server.client.ask('GET', `${pods}?labelSelector=app=b`)).body), ['b']);
    assert.deepEqual(names((await server.client.ask('GET', `${METRICS}/namespaces/other/pods`)).body), []);
    const headers = { Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
    const table = (await server.client.ask('GET', `${METRICS}/nodes`, undefined, { headers })).body;
    assert.deepEqual(at(objectsAt(table, 'rows')[0] ?? {}, 'cells'), ['node1', '150000000n', '977Ki', '10.000s']);
  });

  it('can only be read', async () => {
    await using server = await startServer();
    for (const [method, path] of [
      ['POST', `${METRICS}/nodes`],
      ['DELETE', `${METRICS}/nodes/node1`],
      ['GET', `${METRICS}/nodes?watch=true`],
    ] as const)
      assert.equal((await server.client.ask(method, path, method === 'POST' ? {} : undefined)).status, 405);
  });

  it('a kubelet that talks nonsense is one that does not answer', async () => {
    await using server = await startServer();
    await server.client.ask('POST', NODES, { metadata: { name: 'node1' } });
    await using _kubelet = await startKubelet(server, 'node1', '{"node":');
    assert.deepEqual(names((await server.client.ask('GET', `${METRICS}/nodes`)).body), []);
  });
});
