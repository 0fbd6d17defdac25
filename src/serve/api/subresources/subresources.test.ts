import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONFIG_MAPS, NODES, PODS, pod, startServer } from '#serve/api/testing/server.ts';
import { at, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';

const MERGE = { headers: { 'Content-Type': 'application/merge-patch+json' } };

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

  it('eviction asks the disruption budget: 429 with the cause, and one less may go after a granted one', async () => {
    await using server = await startServer();
    const ask = server.client.ask.bind(server.client);
    const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
    for (const name of ['a', 'b', 'c']) {
      const labelled = pod(name);
      await ask('POST', PODS, { ...labelled, metadata: { name, labels: { app: name === 'c' ? 'other' : 'web' } } });
      const conditions = [{ type: 'Ready', status: 'True' }];
      await ask('PATCH', `${PODS}/${name}/status`, { status: { phase: 'Running', conditions } }, MERGE);
    }
    const spec = { minAvailable: 1, selector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] } };
    await ask('POST', budgets, { metadata: { name: 'web' }, spec });
    const evict = (name: string) => ask('POST', `${PODS}/${name}/eviction`, { metadata: { name } });
    const fresh = await evict('a');
    assert.equal(fresh.status, 429);
    assert.match(textAt(objectsAt(fresh.body, 'details', 'causes')[0] ?? {}, 'message'), /still being processed/);
    const status = {
      observedGeneration: 1,
      disruptionsAllowed: 1,
      currentHealthy: 2,
      desiredHealthy: 1,
      expectedPods: 2,
    };
    await ask('PATCH', `${budgets}/web/status`, { status }, MERGE);
    assert.equal((await evict('a')).status, 201);
    const after = (await ask('GET', `${budgets}/web`)).body;
    assert.equal(at(after, 'status', 'disruptionsAllowed'), 0);
    assert.notEqual(textAt(after, 'status', 'disruptedPods', 'a'), '');
    const refused = await evict('b');
    assert.equal(refused.status, 429);
    assert.equal(textAt(refused.body, 'message'), "Cannot evict pod as it would violate the pod's disruption budget.");
    assert.deepEqual(at(refused.body, 'details', 'causes'), [
      { reason: 'DisruptionBudget', message: 'The disruption budget web needs 1 healthy pods and has 2 currently' },
    ]);
    assert.equal((await evict('c')).status, 201, 'the budget does not mean it');
    await ask('PATCH', `${PODS}/b/status`, { status: { conditions: [{ type: 'Ready', status: 'False' }] } }, MERGE);
    assert.equal((await evict('b')).status, 201, 'what is not ready is no loss while the budget is whole');
  });

  it('ephemeralcontainers adds containers to a pod that runs, and lets nobody change them', async () => {
    await using server = await startServer();
    const ask = server.client.ask.bind(server.client);
    await ask('POST', PODS, pod('p'));
    const strategic = { headers: { 'Content-Type': 'application/strategic-merge-patch+json' } };
    const add = (...ephemeralContainers: JsonObject[]) =>
      ask('PATCH', `${PODS}/p/ephemeralcontainers`, { spec: { ephemeralContainers } }, strategic);
    const main = textAt(objectsAt((await ask('GET', `${PODS}/p`)).body, 'spec', 'containers')[0] ?? {}, 'name');
    const added = await add({ name: 'debug', image: 'busybox', targetContainerName: main });
    assert.equal(added.status, 200, added.text);
    const [first] = objectsAt(added.body, 'spec', 'ephemeralContainers');
    assert.equal(textAt(first ?? {}, 'terminationMessagePolicy'), 'File');
    assert.equal((await add({ name: 'more', image: 'busybox' })).status, 200);
    const read = (await ask('GET', `${PODS}/p/ephemeralcontainers`)).body;
    assert.equal(objectsAt(read, 'spec', 'ephemeralContainers').length, 2);
    for (const [container, field] of [
      [{ name: main, image: 'busybox' }, 'spec.ephemeralContainers[0].name'],
      [{ name: 'x' }, 'spec.ephemeralContainers[0].image'],
      [{ name: 'x', image: 'i', targetContainerName: 'nobody' }, 'spec.ephemeralContainers[0].targetContainerName'],
      [{ name: 'x', image: 'i', ports: [{ containerPort: 80 }] }, 'spec.ephemeralContainers[0].ports'],
      [{ name: 'debug', image: 'other' }, 'spec.ephemeralContainers'],
    ] as const) {
      const refused = await add(container as JsonObject);
      assert.equal(refused.status, 422, refused.text);
      const fields = objectsAt(refused.body, 'details', 'causes').map((cause) => textAt(cause, 'field'));
      assert.deepEqual(fields, [field]);
    }
    const spec = { ephemeralContainers: [{ name: 'sneaky', image: 'busybox' }] };
    assert.equal((await ask('PATCH', `${PODS}/p`, { spec }, strategic)).status, 422);
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
