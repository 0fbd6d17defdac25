/** What holds for every verb: dry runs, who is asked before what is read, forms of answers, discovery. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TokenIssuer } from '#serve/api/pki/tokens.ts';
import { DEFINITIONS_PATH, definition, GAUGES, gauge, version } from '#serve/api/testing/definitions.ts';
import { CONFIG_MAPS, configMap, NAMESPACES, PODS, pod, startServer, TABLE } from '#serve/api/testing/server.ts';
import { at, type JsonObject, listAt, objectsAt, textAt } from '#spec/kinds/json.ts';

const APPS = '/apis/apps/v1/namespaces/default';
const MERGE = { headers: { 'Content-Type': 'application/merge-patch+json' } };
const APPLY = { headers: { 'Content-Type': 'application/apply-patch+yaml' } };
const PARTIAL = { headers: { Accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' } };

function deployment(replicas: number): JsonObject {
  const labels = { app: 'web' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'busybox' }] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replicas, selector: { matchLabels: labels }, template },
  };
}

describe('a dry run', () => {
  const WEB = `${APPS}/deployments/web`;
  const target = { target: { kind: 'Node', name: 'n' } };
  const status = { ...deployment(1), status: { replicas: 9 } };
  const ROWS: readonly (readonly [string, string, JsonObject | undefined, object | undefined, number])[] = [
    ['POST', CONFIG_MAPS, configMap('new', {}), undefined, 201],
    ['PUT', WEB, deployment(7), undefined, 200],
    ['PATCH', WEB, { spec: { replicas: 7 } }, MERGE, 200],
    ['PATCH', `${WEB}?fieldManager=t&force=true`, deployment(7), APPLY, 200],
    ['PATCH', `${APPS}/deployments/new?fieldManager=t`, { ...deployment(7), metadata: {} }, APPLY, 201],
    ['PUT', `${WEB}/status`, status, undefined, 200],
    ['PATCH', `${WEB}/status`, { status: { replicas: 9 } }, MERGE, 200],
    ['PUT', `${WEB}/scale`, { spec: { replicas: 7 } }, undefined, 200],
    ['PATCH', `${WEB}/scale`, { spec: { replicas: 7 } }, MERGE, 200],
    ['POST', `${PODS}/p/binding`, target, undefined, 201],
    ['POST', `${PODS}/p/eviction`, { metadata: { name: 'p' } }, undefined, 201],
    ['PUT', `${NAMESPACES}/other/finalize`, { metadata: { name: 'other' }, spec: {} }, undefined, 200],
    ['DELETE', WEB, undefined, undefined, 200],
    ['DELETE', `${WEB}?propagationPolicy=Foreground`, undefined, undefined, 200],
    ['DELETE', PODS, undefined, undefined, 200],
    ['DELETE', `${NAMESPACES}/other`, undefined, undefined, 200],
  ];

  it('of every verb answers as the real thing does, and changes nothing', async () => {
    await using server = await startServer();
    const { client } = server;
    await client.ask('POST', NAMESPACES, { metadata: { name: 'other' } });
    await client.ask('POST', `${APPS}/deployments`, deployment(1));
    await client.ask('POST', PODS, pod('p'));
    const revision = async () => textAt((await client.ask('GET', PODS)).body, 'metadata', 'resourceVersion');
    const before = await revision();
    for (const [method, path, body, options, code] of ROWS) {
      const separator = path.includes('?') ? '&' : '?';
      const answer = await client.ask(method, `${path}${separator}dryRun=All`, body, options);
      assert.equal(answer.status, code, `${method} ${path}: ${answer.text}`);
      assert.equal(await revision(), before, `${method} ${path}`);
    }
    const replicas = (await client.ask('PATCH', `${WEB}?dryRun=All`, { spec: { replicas: 7 } }, MERGE)).body;
    assert.equal(at(replicas, 'spec', 'replicas'), 7, 'it shows what would be');
  });
});

describe('authentication and authorization', () => {
  it('come before any look at the body: malformed, too large, never ending', async () => {
    await using server = await startServer();
    const nobody = new TokenIssuer(server.dataDir).issue(
      { name: 'nobody', groups: ['system:authenticated'] },
      Date.now(),
    );
    for (const [token, code] of [
      ['', 401],
      ['not-a-token', 401],
      [nobody, 403],
    ] as const) {
      for (const raw of ['{"a":', Buffer.alloc(4 * 1024 * 1024)])
        assert.equal((await server.client.ask('POST', PODS, undefined, { token, raw })).status, code);
      const headers = { 'Content-Type': 'text/css', Accept: 'text/css' };
      assert.equal((await server.client.ask('POST', PODS, undefined, { token, headers })).status, code);
      // The body is announced and does not come: who waited for it would never answer.
      const open = await server.client.open(
        'POST',
        PODS,
        undefined,
        { token, headers: { 'Content-Length': '100' } },
        false,
      );
      assert.equal(open.statusCode, code);
      open.destroy();
    }
  });

  it('of a list or watch of one object by its name is for that object', async () => {
    await using server = await startServer();
    const { client } = server;
    const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
    const rules = [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['mine'], verbs: ['list', 'watch'] }];
    await client.ask('POST', `${RBAC}/roles`, { metadata: { name: 'one' }, rules });
    await client.ask('POST', `${RBAC}/rolebindings`, {
      metadata: { name: 'one' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'one' },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ann' }],
    });
    await client.ask('POST', CONFIG_MAPS, configMap('mine', {}));
    const token = new TokenIssuer(server.dataDir).issue({ name: 'ann', groups: [] }, Date.now());
    const ask = async (selector: string) =>
      (await client.ask('GET', `${CONFIG_MAPS}?fieldSelector=${encodeURIComponent(selector)}`, undefined, { token }))
        .status;
    assert.equal(await ask('metadata.name=mine'), 200);
    assert.equal(await ask('metadata.namespace=default,metadata.name=mine'), 200);
    for (const other of ['metadata.name=other', 'metadata.name!=mine', '']) assert.equal(await ask(other), 403, other);
  });
});

describe('answers', () => {
  it('to every verb come as a table or as metadata alone where that is asked for', async () => {
    await using server = await startServer();
    const { client } = server;
    for (const [method, path, body] of [
      ['POST', CONFIG_MAPS, configMap('c', { a: 'b' })],
      ['GET', `${CONFIG_MAPS}/c`, undefined],
      ['PUT', `${CONFIG_MAPS}/c`, configMap('c', { a: 'c' })],
    ] as const) {
      const dry = method === 'GET' ? '' : '?dryRun=All';
      const table = await client.ask(method, `${path}${dry}`, body, { headers: TABLE });
      assert.equal(table.body.kind, 'Table', method);
      assert.deepEqual(listAt(objectsAt(table.body, 'rows')[0], 'cells').slice(0, 2), ['c', 1]);
      const partial = await client.ask(method, path, body, PARTIAL);
      assert.deepEqual(Object.keys(partial.body), ['kind', 'apiVersion', 'metadata'], method);
    }
  });

  it('as a table hold as much of the objects as is asked for', async () => {
    await using server = await startServer();
    const { client } = server;
    await client.ask('POST', CONFIG_MAPS, configMap('c', { a: 'b' }));
    for (const [include, kind] of [
      ['None', ''],
      ['Metadata', 'PartialObjectMetadata'],
      ['Object', 'ConfigMap'],
    ]) {
      const { body } = await client.ask('GET', `${CONFIG_MAPS}?includeObject=${include}`, undefined, {
        headers: TABLE,
      });
      assert.equal(textAt(objectsAt(body, 'rows')[0], 'object', 'kind'), kind);
    }
    const wrong = await client.ask('GET', `${CONFIG_MAPS}?includeObject=Half`, undefined, { headers: TABLE });
    assert.equal(wrong.status, 400);
  });
});

describe('an object of a defined kind', () => {
  it('is replaced only by who names its resourceVersion', async () => {
    await using server = await startServer();
    const { client } = server;
    const made = definition([version('v1', { properties: { unit: { type: 'string' } } })]);
    assert.equal((await client.ask('POST', DEFINITIONS_PATH, made)).status, 201);
    const { body } = await client.ask('POST', GAUGES, gauge('g', { unit: 'bar' }));
    const blind = await client.ask('PUT', `${GAUGES}/g`, gauge('g', { unit: 'psi' }));
    assert.equal(blind.status, 422);
    assert.match(
      textAt(blind.body, 'message'),
      /metadata.resourceVersion: Invalid value: 0: must be specified for an update/,
    );
    assert.equal((await client.ask('PUT', `${GAUGES}/g`, { ...body, spec: { unit: 'psi' } })).status, 200);
  });
});

describe('what is not here', () => {
  it('answers 404, as docs/api.md says', async () => {
    await using server = await startServer();
    const { client } = server;
    await client.ask('POST', PODS, pod('p'));
    for (const [method, path] of [
      ['GET', '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas'],
      ['GET', '/apis/resource.k8s.io/v1/resourceclaims'],
      ['GET', '/apis/storage.k8s.io/v1/volumeattachments'],
      ['GET', '/apis/batch/v1beta1/cronjobs'],
      ['GET', '/api/v1/replicationcontrollers'],
      ['GET', '/api/v1/watch/pods'],
      ['GET', `${PODS}/p/proxy`],
      ['PUT', '/apis/coordination.k8s.io/v1/namespaces/default/leases/new'],
    ] as const) {
      const answer = await client.ask(method, path, method === 'PUT' ? { metadata: { name: 'new' } } : undefined);
      assert.equal(answer.status, 404, path);
    }
  });
});

describe('discovery', () => {
  it('of the root names every path, and health can be told at length', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('GET', '/');
    const paths = listAt(body, 'paths');
    for (const path of ['/api/v1', '/apis/apps/v1', '/apis/storage.k8s.io', '/openapi/v3', '/readyz'])
      assert.ok(paths.includes(path), path);
    const ready = await server.client.ask('GET', '/readyz?verbose', undefined, { token: '' });
    assert.equal(ready.text, '[+]ping ok\nreadyz check passed\n');
  });
});
