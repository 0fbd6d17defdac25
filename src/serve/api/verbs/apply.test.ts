import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Answer, CONFIG_MAPS, configMap, startServer, type TestServer } from '#serve/api/testing/server.ts';
import { at, type Json, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';

const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const SERVICES = '/api/v1/namespaces/default/services';
const MERGE = { headers: { 'Content-Type': 'application/merge-patch+json' } };

function apply(server: TestServer, path: string, body: JsonObject, manager = 'ann', more = ''): Promise<Answer> {
  const headers = { 'Content-Type': 'application/apply-patch+yaml' };
  return server.client.ask('PATCH', `${path}?fieldManager=${manager}${more}`, body, { headers });
}

/** What a manager owns, by name and operation. */
function owned(body: JsonObject, manager: string, operation = 'Apply', subresource = ''): Json | undefined {
  const entries = objectsAt(body, 'metadata', 'managedFields');
  return entries.find(
    (one) => one.manager === manager && one.operation === operation && textAt(one, 'subresource') === subresource,
  )?.fieldsV1;
}

function deployment(spec: JsonObject, containers: JsonObject[] = [{ name: 'c', image: 'i' }]): JsonObject {
  const labels = { app: 'web' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } }, ...spec },
  };
}

describe('server-side apply', () => {
  it('makes an object, and its manager owns what it said and nothing that was filled in', async () => {
    await using server = await startServer();
    const made = await apply(server, `${DEPLOYMENTS}/web`, deployment({ replicas: 2 }));
    assert.equal(made.status, 201);
    assert.equal(at(made.body, 'spec', 'revisionHistoryLimit'), 10);
    assert.deepEqual(owned(made.body, 'ann'), {
      'f:spec': {
        'f:replicas': {},
        'f:selector': {},
        'f:template': {
          'f:metadata': { 'f:labels': { 'f:app': {} } },
          'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
        },
      },
    });
  });

  it('writes nothing when it is repeated', async () => {
    await using server = await startServer();
    const first = await apply(server, `${DEPLOYMENTS}/web`, deployment({ replicas: 2 }));
    const second = await apply(server, `${DEPLOYMENTS}/web`, deployment({ replicas: 2 }));
    assert.equal(second.status, 200);
    assert.deepEqual(second.body, first.body);
  });

  it('removes what is no longer said, unless somebody else owns it', async () => {
    await using server = await startServer();
    const path = `${CONFIG_MAPS}/c`;
    await apply(server, path, configMap('c', { a: '1', b: '2', c: '3' }, { labels: { x: 'y' } }));
    await apply(server, path, configMap('c', { b: '2' }), 'bob');
    const { body } = await apply(server, path, configMap('c', { a: '1' }));
    assert.deepEqual(body.data, { a: '1', b: '2' });
    assert.equal(at(body, 'metadata', 'labels'), undefined);
    assert.deepEqual(owned(body, 'bob'), { 'f:data': { 'f:b': {} } });
  });

  it('answers 409 with each field that others own, and takes them when forced', async () => {
    await using server = await startServer();
    const path = `${DEPLOYMENTS}/web`;
    await apply(server, path, deployment({ replicas: 1 }));
    const refused = await apply(server, path, deployment({ replicas: 2 }, [{ name: 'c', image: 'j' }]), 'bob');
    assert.equal(refused.status, 409);
    assert.equal(refused.body.reason, 'Conflict');
    assert.deepEqual(objectsAt(refused.body, 'details', 'causes'), [
      { reason: 'FieldManagerConflict', message: 'conflict with "ann"', field: '.spec.replicas' },
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "ann"',
        field: '.spec.template.spec.containers[name="c"].image',
      },
    ]);
    assert.equal(
      refused.body.message,
      'Apply failed with 2 conflicts: conflicts with "ann":\n- .spec.replicas\n- .spec.template.spec.containers[name="c"].image',
    );
    const forced = await apply(server, path, deployment({ replicas: 2 }), 'bob', '&force=true');
    assert.equal(at(forced.body, 'spec', 'replicas'), 2);
    assert.equal(at(owned(forced.body, 'ann'), 'f:spec', 'f:replicas'), undefined);
    const again = await apply(server, path, deployment({ replicas: 1 }));
    assert.equal(again.body.message, 'Apply failed with 1 conflict: conflict with "bob": .spec.replicas');
  });

  it('lets managers own a field together while they say the same', async () => {
    await using server = await startServer();
    const path = `${CONFIG_MAPS}/c`;
    await apply(server, path, configMap('c', { a: '1' }));
    const both = await apply(server, path, configMap('c', { a: '1' }), 'bob');
    assert.equal(both.status, 200);
    const left = await apply(server, path, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } });
    assert.deepEqual(left.body.data, { a: '1' }, 'bob still says it');
    const gone = await apply(server, path, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }, 'bob');
    assert.equal(gone.body.data, undefined);
  });

  it('merges lists by all of their keys, with what keys default to', async () => {
    await using server = await startServer();
    const service = (ports: JsonObject[]) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's' },
      spec: { ports },
    });
    const path = `${SERVICES}/s`;
    await apply(server, path, service([{ name: 'dns', port: 53, protocol: 'UDP' }]));
    const { body } = await apply(server, path, service([{ name: 'dns-tcp', port: 53 }]), 'bob');
    assert.deepEqual(
      objectsAt(body, 'spec', 'ports').map((port) => `${port.port}/${port.protocol}`),
      ['53/TCP', '53/UDP'].toReversed(),
    );
    const less = await apply(server, path, service([]), 'bob');
    assert.deepEqual(
      objectsAt(less.body, 'spec', 'ports').map((port) => port.name),
      ['dns'],
    );
  });

  it('knows the writers of updates and patches, their subresources and their names', async () => {
    await using server = await startServer();
    const headers = { 'User-Agent': 'tool/v1 (linux)' };
    await server.client.ask('POST', DEPLOYMENTS, deployment({ replicas: 1 }), { headers });
    const merge = { headers: { ...MERGE.headers, ...headers } };
    await server.client.ask('PATCH', `${DEPLOYMENTS}/web/scale?fieldManager=hpa`, { spec: { replicas: 3 } }, merge);
    const status = { status: { observedGeneration: 1 } };
    const { body } = await server.client.ask('PATCH', `${DEPLOYMENTS}/web/status?fieldManager=ctl`, status, merge);
    assert.deepEqual(owned(body, 'hpa', 'Update', 'scale'), { 'f:spec': { 'f:replicas': {} } });
    assert.deepEqual(owned(body, 'ctl', 'Update', 'status'), { 'f:status': { 'f:observedGeneration': {} } });
    assert.equal(at(owned(body, 'tool', 'Update'), 'f:spec', 'f:replicas'), undefined);
    assert.deepEqual(at(owned(body, 'tool', 'Update'), 'f:spec', 'f:revisionHistoryLimit'), {});
    const refused = await apply(server, `${DEPLOYMENTS}/web`, deployment({ replicas: 5 }));
    assert.equal(
      refused.body.message,
      'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas',
    );
  });

  it('leaves an object alone that nobody kept books of, until somebody applies', async () => {
    await using server = await startServer();
    const path = `${CONFIG_MAPS}/c`;
    await server.client.ask('POST', CONFIG_MAPS, configMap('c', { a: '1' }));
    const reset = await server.client.ask('PATCH', path, { metadata: { managedFields: [{}] } }, MERGE);
    assert.equal(at(reset.body, 'metadata', 'managedFields'), undefined);
    const updated = await server.client.ask('PATCH', path, { data: { b: '2' } }, MERGE);
    assert.equal(at(updated.body, 'metadata', 'managedFields'), undefined);
    const { body } = await apply(server, path, configMap('c', { a: '1', c: '3' }));
    assert.deepEqual(owned(body, 'before-first-apply', 'Update'), { 'f:data': { 'f:a': {}, 'f:b': {} } });
    assert.deepEqual(owned(body, 'ann'), { 'f:data': { 'f:a': {}, 'f:c': {} } });
  });

  it('takes managedFields from a client that writes them, as kubectl does when it migrates', async () => {
    await using server = await startServer();
    const path = `${CONFIG_MAPS}/c`;
    const { body } = await server.client.ask('POST', `${CONFIG_MAPS}?fieldManager=old`, configMap('c', { a: '1' }));
    const [entry] = objectsAt(body, 'metadata', 'managedFields');
    const moved = [{ ...entry, manager: 'new', operation: 'Apply' }];
    const after = await server.client.ask('PATCH', path, { metadata: { managedFields: moved } }, MERGE);
    assert.equal(owned(after.body, 'old', 'Update'), undefined);
    assert.deepEqual(at(owned(after.body, 'new'), 'f:data', 'f:a'), {});
    const unread = [{ ...entry, fieldsV1: { nonsense: {} } }];
    const kept = await server.client.ask('PATCH', path, { metadata: { managedFields: unread } }, MERGE);
    assert.deepEqual(at(kept.body, 'metadata', 'managedFields'), at(after.body, 'metadata', 'managedFields'));
  });

  it('remembers ten updaters by name', async () => {
    await using server = await startServer();
    await server.client.ask('POST', CONFIG_MAPS, configMap('c', { a: '1' }));
    let last: JsonObject = {};
    for (let index = 0; index < 15; index += 1) {
      const patch = { data: { [`k${index}`]: 'v' } };
      const url = `${CONFIG_MAPS}/c?fieldManager=m${index}`;
      last = (await server.client.ask('PATCH', url, patch, MERGE)).body;
    }
    const managers = objectsAt(last, 'metadata', 'managedFields').map((one) => one.manager);
    assert.equal(managers.length, 10);
    assert.ok(managers.includes('ancient-changes'));
  });

  it('stores nothing with dryRun', async () => {
    await using server = await startServer();
    const made = await apply(server, `${CONFIG_MAPS}/c`, configMap('c', { a: '1' }), 'ann', '&dryRun=All');
    assert.equal(made.status, 201);
    assert.equal((await server.client.ask('GET', `${CONFIG_MAPS}/c`)).status, 404);
  });

  it('says what is wrong with a request', async () => {
    await using server = await startServer();
    const path = `${CONFIG_MAPS}/c`;
    const headers = { 'Content-Type': 'application/apply-patch+yaml' };
    const nobody = await server.client.ask('PATCH', path, configMap('c', {}), { headers });
    assert.equal(nobody.status, 422);
    assert.match(textAt(nobody.body, 'message'), /fieldManager: Required value: is required for apply patch/);
    assert.equal((await apply(server, path, configMap('other', {}))).status, 400);
    assert.equal((await apply(server, path, { metadata: { name: 'c' } })).status, 400);
    assert.equal((await apply(server, path, configMap('c', {}, { managedFields: [{ manager: 'x' }] }))).status, 400);
    assert.equal((await apply(server, path, configMap('c', {}, { uid: 'x' }))).status, 409);
    assert.equal((await apply(server, path, configMap('c', {}), 'x'.repeat(129))).status, 422);
    await apply(server, path, configMap('c', {}));
    assert.equal((await apply(server, path, configMap('c', {}, { resourceVersion: '1' }))).status, 409);
    assert.equal((await server.client.ask('PATCH', `${path}?force=true`, {}, MERGE)).status, 422);
    const unknown = await apply(
      server,
      path,
      { ...configMap('c', {}), colour: 'red' },
      'ann',
      '&fieldValidation=Strict',
    );
    assert.match(textAt(unknown.body, 'message'), /unknown field "colour"/);
  });
});
