import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONFIG_MAPS, NODES, PODS, pod, startServer } from '#serve/api/testing/server.ts';
import { at, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';

describe('subresources', () => {
  it('binding gives a pod its node, once', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'p' },
      target: { kind: 'Node', name: 'node2' },
    };
    assert.equal((await server.client.ask('POST', `${PODS}/p/binding`, binding)).status, 201);
    const { body } = await server.client.ask('GET', `${PODS}/p`);
    assert.equal(textAt(body, 'spec', 'nodeName'), 'node2');
    assert.equal(objectsAt(body, 'status', 'conditions')[0]?.type, 'PodScheduled');
    assert.equal((await server.client.ask('POST', `${PODS}/p/binding`, binding)).status, 409);
  });

  it('eviction deletes a pod', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    assert.equal((await server.client.ask('POST', `${PODS}/p/eviction`, { metadata: { name: 'p' } })).status, 201);
    assert.equal((await server.client.ask('GET', `${PODS}/p`)).status, 404);
  });

  it('token gives a ServiceAccount a token that the server takes', async () => {
    await using server = await startServer();
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    await server.client.ask('POST', accounts, { metadata: { name: 'a' } });
    const { body } = await server.client.ask('POST', `${accounts}/a/token`, { spec: { expirationSeconds: 900 } });
    const token = textAt(body, 'status', 'token');
    assert.equal((await server.client.ask('GET', '/api', undefined, { token })).status, 200);
    assert.equal(
      (await server.client.ask('POST', `${accounts}/a/token`, { spec: { expirationSeconds: 1 } })).status,
      422,
    );
  });

  it('that are not there answer 404', async () => {
    await using server = await startServer();
    assert.equal((await server.client.ask('GET', `${NODES}/n/proxy`)).status, 404);
    assert.equal((await server.client.ask('GET', `${CONFIG_MAPS}/c/status`)).status, 404);
  });
});

describe('Services', () => {
  const SERVICES = '/api/v1/namespaces/default/services';

  function service(name: string, spec: JsonObject = {}): JsonObject {
    return { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } };
  }

  it('get addresses of the range, each its own, also after a restart', async () => {
    await using server = await startServer(undefined, true);
    const seen = new Set<string>(['10.96.0.1']);
    for (let index = 0; index < 20; index += 1) {
      const { body } = await server.client.ask('POST', SERVICES, service(`s${index}`));
      const address = textAt(body, 'spec', 'clusterIP');
      assert.match(address, /^10\.(9[6-9]|10\d|11[01])\.\d+\.\d+$/);
      seen.add(address);
    }
    assert.equal(seen.size, 21);
    await using again = await server.restart();
    const taken = [...seen][3] ?? '';
    const refused = await again.client.ask('POST', SERVICES, service('again', { clusterIP: taken }));
    assert.equal(refused.status, 422);
    assert.match(textAt(refused.body, 'message'), /already allocated/);
  });

  it('keep their address through an apply that does not say it', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('POST', SERVICES, service('s', { type: 'NodePort' }));
    const { body: after } = await server.client.ask(
      'PUT',
      `${SERVICES}/s`,
      service('s', { type: 'NodePort', selector: { a: 'b' } }),
    );
    assert.equal(textAt(after, 'spec', 'clusterIP'), textAt(body, 'spec', 'clusterIP'));
    const port = (one: JsonObject) => objectsAt(one, 'spec', 'ports')[0]?.nodePort;
    assert.equal(port(after), port(body));
    assert.equal(typeof port(body), 'number');
    const moved = await server.client.ask('PUT', `${SERVICES}/s`, service('s', { clusterIP: '10.96.9.9' }));
    assert.equal(moved.status, 422);
  });

  it('may be headless, external, or ask for a node port that is free', async () => {
    await using server = await startServer();
    const headless = await server.client.ask('POST', SERVICES, service('h', { clusterIP: 'None' }));
    assert.equal(textAt(headless.body, 'spec', 'clusterIP'), 'None');
    const external = await server.client.ask('POST', SERVICES, {
      metadata: { name: 'e' },
      spec: { type: 'ExternalName', externalName: 'example.com' },
    });
    assert.equal(at(external.body, 'spec', 'clusterIP'), undefined);
    const ports = [{ port: 80, nodePort: 30080 }];
    assert.equal((await server.client.ask('POST', SERVICES, service('n', { type: 'NodePort', ports }))).status, 201);
    assert.equal((await server.client.ask('POST', SERVICES, service('m', { type: 'NodePort', ports }))).status, 422);
  });
});
