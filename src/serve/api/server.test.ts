import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { describe, it } from 'node:test';
import { readPkiFile } from '#serve/api/pki/files.ts';
import { CONFIG_MAPS, configMap, PODS, pod, startServer } from '#serve/api/testing/server.ts';
import { at, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';

const NODES = '/api/v1/nodes';
const NAMESPACES = '/api/v1/namespaces';
const TABLE = { Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

function names(body: JsonObject): string[] {
  return objectsAt(body, 'items').map((item) => textAt(item, 'metadata', 'name'));
}

describe('authentication', () => {
  it('answers 401 to nobody, whatever is asked, before the body is looked at', async () => {
    await using server = await startServer();
    for (const path of ['/api', '/api/v1/pods', '/nonsense', '/openapi/v3']) {
      assert.equal((await server.client.ask('GET', path, undefined, { token: '' })).status, 401, path);
    }
    const answer = await server.client.ask('POST', PODS, undefined, { token: '', raw: '{' });
    assert.equal(answer.status, 401);
    assert.equal(answer.body.reason, 'Unauthorized');
  });

  it('refuses tokens of another cluster and broken ones', async () => {
    await using server = await startServer();
    await using other = await startServer();
    const { TokenIssuer } = await import('#serve/api/pki/tokens.ts');
    const foreign = new TokenIssuer(other.dataDir).issue({ name: 'x', groups: [] }, Date.now());
    const past = new TokenIssuer(server.dataDir).issue({ name: 'x', groups: [] }, Date.now(), { expires: 1 });
    const [header, payload] = foreign.split('.');
    for (const token of [foreign, past, 'a.b.c', 'nothing', `${header}.${payload}.`, '..']) {
      assert.equal((await server.client.ask('GET', '/api', undefined, { token })).status, 401, token);
    }
  });

  it('takes client certificates of its own CA only', async () => {
    await using server = await startServer();
    await using other = await startServer();
    const { makeClientCertificate } = await import('#serve/api/pki/certificates.ts');
    const { readCa } = await import('#serve/api/pki/cluster.ts');
    const ask = async (dataDir: string, name: string): Promise<JsonObject> => {
      const pair = await makeClientCertificate(readCa(dataDir), { commonName: name, organizations: ['a', 'b'] });
      const agent = new Agent({ ca: readPkiFile(server.dataDir, 'ca.crt'), cert: pair.certificate, key: pair.key });
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
      const call = request({
        host: '127.0.0.1',
        port: server.port,
        path,
        method: 'POST',
        agent,
        headers: { 'Content-Length': 2 },
      });
      call.end('{}');
      const [answer] = (await once(call, 'response')) as [IncomingMessage];
      const text = Buffer.concat(await answer.toArray()).toString();
      agent.destroy();
      return JSON.parse(text);
    };
    const own = await ask(server.dataDir, 'jane');
    assert.equal(textAt(own, 'status', 'userInfo', 'username'), 'jane');
    assert.deepEqual(at(own, 'status', 'userInfo', 'groups'), ['a', 'b', 'system:authenticated']);
    assert.equal((await ask(other.dataDir, 'jane')).code, 401);
  });

  it('shows health and version to everybody', async () => {
    await using server = await startServer();
    for (const path of ['/healthz', '/livez', '/readyz']) {
      assert.equal((await server.client.ask('GET', path, undefined, { token: '' })).text, 'ok');
    }
    const { body } = await server.client.ask('GET', '/version', undefined, { token: '' });
    assert.equal(body.gitVersion, 'v1.32.0+polder');
  });
});

describe('create', () => {
  it('fills in what the server decides and what is missing', async () => {
    await using server = await startServer();
    const { status, body } = await server.client.ask('POST', PODS, pod('p'));
    assert.equal(status, 201);
    assert.match(textAt(body, 'metadata', 'uid'), /^[0-9a-f-]{36}$/);
    assert.match(textAt(body, 'metadata', 'creationTimestamp'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(textAt(body, 'metadata', 'namespace'), 'default');
    assert.deepEqual(body.status, { phase: 'Pending', qosClass: 'BestEffort' });
    assert.equal(textAt(body, 'spec', 'restartPolicy'), 'Always');
    assert.equal(textAt(objectsAt(body, 'spec', 'containers')[0], 'imagePullPolicy'), 'Always');
  });

  it('makes a name from generateName', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('POST', CONFIG_MAPS, { metadata: { generateName: 'c-' } });
    assert.match(textAt(body, 'metadata', 'name'), /^c-[a-z0-9]{5}$/);
  });

  it('stores nothing with dryRun', async () => {
    await using server = await startServer();
    assert.equal((await server.client.ask('POST', `${PODS}?dryRun=All`, pod('p'))).status, 201);
    assert.equal((await server.client.ask('GET', `${PODS}/p`)).status, 404);
    assert.equal((await server.client.ask('POST', `${PODS}?dryRun=Some`, pod('p'))).status, 400);
  });

  it('warns of unknown fields, or refuses them when asked to', async () => {
    await using server = await startServer();
    const object = pod('p', { spec: { colour: 'red', containers: [{ name: 'c', image: 'i', colour: 'blue' }] } });
    const strict = await server.client.ask('POST', `${PODS}?fieldValidation=Strict`, object);
    assert.equal(strict.status, 400);
    assert.match(textAt(strict.body, 'message'), /strict decoding error: .*unknown field "spec.colour"/);
    const warned = await server.client.ask('POST', PODS, object);
    assert.equal(warned.status, 201);
    assert.match(String(warned.headers.warning), /299 - "unknown field \\"spec.containers\[0\].colour\\""/);
    assert.equal(at(warned.body, 'spec', 'colour'), undefined);
    const ignored = await server.client.ask('POST', `${PODS}?fieldValidation=Ignore`, {
      ...object,
      metadata: { name: 'q' },
    });
    assert.equal(ignored.headers.warning, undefined);
  });

  it('takes YAML and gives YAML', async () => {
    await using server = await startServer();
    const headers = { 'Content-Type': 'application/yaml', Accept: 'application/yaml' };
    const raw = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  a: b\n';
    const { status, text } = await server.client.ask('POST', CONFIG_MAPS, undefined, { headers, raw });
    assert.equal(status, 201);
    assert.match(text, /^data:\n {2}a: b$/m);
  });
});

describe('bad input', () => {
  const POD_WITHOUT_IMAGE = pod('p', { spec: { containers: [{ name: 'c' }, { name: 'c', image: 'i' }] } });
  const ROWS: readonly {
    readonly name: string;
    readonly method?: string;
    readonly path?: string;
    readonly body?: JsonObject;
    readonly raw?: string;
    readonly type?: string;
    readonly status: number;
    readonly says: RegExp;
  }[] = [
    { name: 'malformed JSON', raw: '{"a":', status: 400, says: /unrecognized/ },
    { name: 'malformed YAML', raw: 'a: [', type: 'application/yaml', status: 400, says: /YAML/ },
    { name: 'a list for an object', raw: '[]', status: 400, says: /must be a JSON object/ },
    { name: 'an unknown media type', raw: 'x', type: 'text/css', status: 415, says: /unknown format/ },
    { name: 'broken protobuf', raw: 'k8s', type: 'application/vnd.kubernetes.protobuf', status: 400, says: /protobuf/ },
    {
      name: 'an unknown kind',
      path: '/api/v1/namespaces/default/gadgets',
      body: {},
      status: 404,
      says: /could not find/,
    },
    { name: 'an unknown group', path: '/apis/example.com/v1/things', body: {}, status: 404, says: /could not find/ },
    {
      name: 'a namespace that is not there',
      path: '/api/v1/namespaces/no/pods',
      body: pod('p'),
      status: 404,
      says: /namespaces "no" not found/,
    },
    {
      name: 'another namespace in the body',
      body: pod('p', { metadata: { namespace: 'other' } }),
      status: 400,
      says: /does not match the namespace/,
    },
    {
      name: 'another kind in the body',
      body: { ...pod('p'), kind: 'Node' },
      status: 400,
      says: /expected kind \(Pod\)/,
    },
    {
      name: 'another version in the body',
      body: { ...pod('p'), apiVersion: 'v2' },
      status: 400,
      says: /expected API version/,
    },
    { name: 'no name', body: { ...pod('p'), metadata: {} }, status: 422, says: /metadata.name: Required value/ },
    { name: 'a name against RFC 1123', body: pod('Bad_Name'), status: 422, says: /lowercase RFC 1123 subdomain/ },
    {
      name: 'a label value that is too long',
      body: pod('p', { metadata: { labels: { a: 'x'.repeat(64) } } }),
      status: 422,
      says: /metadata.labels: Invalid value/,
    },
    {
      name: 'a missing image and a name twice',
      body: POD_WITHOUT_IMAGE,
      status: 422,
      says: /Duplicate value: "c".*spec.containers\[0\].image: Required value/,
    },
    {
      name: 'a text for a number',
      body: pod('p', { spec: { terminationGracePeriodSeconds: 'x' } }),
      status: 400,
      says: /cannot unmarshal string into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64/,
    },
    {
      name: 'a resourceVersion on a new object',
      body: pod('p', { metadata: { resourceVersion: '1' } }),
      status: 400,
      says: /resourceVersion should not be set/,
    },
    {
      name: 'a broken quantity',
      body: pod('p', { spec: { containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: 'much' } } }] } }),
      status: 400,
      says: /quantities must match/,
    },
    {
      name: 'a volume mount without its volume',
      body: pod('p', {
        spec: { containers: [{ name: 'c', image: 'i', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
      }),
      status: 422,
      says: /volumeMounts\[0\].name: Not found: "v"/,
    },
    {
      name: 'server-side apply',
      method: 'PATCH',
      path: `${PODS}/p`,
      raw: '{}',
      type: 'application/apply-patch+yaml',
      status: 415,
      says: /server-side apply/,
    },
    { name: 'POST to an object', path: `${PODS}/p`, body: pod('p'), status: 405, says: /does not allow this method/ },
    { name: 'an unknown method', method: 'OPTIONS', path: PODS, status: 405, says: /does not allow this method/ },
    {
      name: 'a broken label selector',
      method: 'GET',
      path: `${PODS}?labelSelector=a%20b%20c`,
      status: 400,
      says: /unable to parse requirement/,
    },
    {
      name: 'a field that is not indexed',
      method: 'GET',
      path: `${PODS}?fieldSelector=spec.colour%3Dred`,
      status: 400,
      says: /field label not supported/,
    },
    {
      name: 'a broken continue token',
      method: 'GET',
      path: `${PODS}?continue=xyz`,
      status: 400,
      says: /continue key is not valid/,
    },
    { name: 'a broken path', method: 'GET', path: '/api/v1/namespaces/%zz/pods/x', status: 404, says: /not found/ },
    {
      name: 'a media type that is not served',
      method: 'DELETE',
      path: `${PODS}/p`,
      raw: 'x',
      type: 'text/css',
      status: 415,
      says: /unknown format/,
    },
    {
      name: 'a negative grace period',
      method: 'DELETE',
      path: `${PODS}/p`,
      body: { gracePeriodSeconds: -1 },
      status: 400,
      says: /non-negative/,
    },
  ];

  for (const row of ROWS) {
    it(`${row.name} gets ${row.status}`, async () => {
      await using server = await startServer();
      const options = {
        ...(row.raw === undefined ? {} : { raw: row.raw }),
        ...(row.type === undefined ? {} : { headers: { 'Content-Type': row.type } }),
      };
      const answer = await server.client.ask(row.method ?? 'POST', row.path ?? PODS, row.body, options);
      assert.equal(answer.status, row.status, answer.text);
      assert.equal(answer.body.kind, 'Status');
      assert.match(textAt(answer.body, 'message'), row.says);
      assert.equal((await server.client.ask('GET', PODS)).text.includes('"items":[]'), true, 'nothing was stored');
    });
  }

  it('a body over 3 MiB gets 413', async () => {
    await using server = await startServer();
    const answer = await server.client.ask('POST', CONFIG_MAPS, undefined, {
      raw: Buffer.alloc(3 * 1024 * 1024 + 1, 0x20),
    });
    assert.equal(answer.status, 413);
    const chunked = await server.client.ask('POST', CONFIG_MAPS, undefined, {
      headers: { 'Transfer-Encoding': 'chunked' },
      raw: Buffer.alloc(4 * 1024 * 1024, 0x20),
    });
    assert.equal(chunked.status, 413);
  });

  it('names each faulty field in details.causes', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('POST', PODS, POD_WITHOUT_IMAGE);
    assert.deepEqual(
      objectsAt(body, 'details', 'causes').map((cause) => `${textAt(cause, 'reason')} ${textAt(cause, 'field')}`),
      ['FieldValueDuplicate spec.containers[1].name', 'FieldValueRequired spec.containers[0].image'],
    );
  });
});

describe('update', () => {
  it('needs the newest resourceVersion', async () => {
    await using server = await startServer();
    const { body: first } = await server.client.ask('POST', CONFIG_MAPS, configMap('c', { a: '1' }));
    const second = await server.client.ask('PUT', `${CONFIG_MAPS}/c`, { ...first, data: { a: '2' } });
    assert.equal(second.status, 200);
    const third = await server.client.ask('PUT', `${CONFIG_MAPS}/c`, { ...first, data: { a: '3' } });
    assert.equal(third.status, 409);
    assert.match(textAt(third.body, 'message'), /the object has been modified/);
    const forced = await server.client.ask('PUT', `${CONFIG_MAPS}/c`, configMap('c', { a: '4' }));
    assert.equal(forced.status, 200, 'without a resourceVersion it is not conditional');
  });

  it('writes no revision when nothing changes', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('POST', CONFIG_MAPS, configMap('c', { a: '1' }));
    const again = await server.client.ask('PUT', `${CONFIG_MAPS}/c`, body);
    assert.equal(textAt(again.body, 'metadata', 'resourceVersion'), textAt(body, 'metadata', 'resourceVersion'));
  });

  it('leaves status to /status, and the rest to the object', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('POST', PODS, pod('p'));
    const both = { ...body, status: { phase: 'Running' }, spec: { ...pod('x'), nodeName: 'n' } };
    const status = await server.client.ask('PUT', `${PODS}/p/status`, { ...both, spec: body.spec ?? {} });
    assert.equal(textAt(status.body, 'status', 'phase'), 'Running');
    const labels = { metadata: { labels: { a: 'b' } }, status: { phase: 'Failed' } };
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const { body: main } = await server.client.ask('PATCH', `${PODS}/p`, labels, { headers });
    assert.equal(textAt(main, 'status', 'phase'), 'Running');
    assert.equal(textAt(main, 'metadata', 'labels', 'a'), 'b');
  });

  it('does not change what a pod may not change', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    const headers = { 'Content-Type': 'application/strategic-merge-patch+json' };
    const image = { spec: { containers: [{ name: 'c', image: 'other' }] } };
    assert.equal((await server.client.ask('PATCH', `${PODS}/p`, image, { headers })).status, 200);
    const command = { spec: { containers: [{ name: 'c', command: ['x'] }] } };
    const refused = await server.client.ask('PATCH', `${PODS}/p`, command, { headers });
    assert.equal(refused.status, 422);
    assert.match(textAt(refused.body, 'message'), /pod updates may not change fields other than/);
  });

  it('counts generations of the spec only', async () => {
    await using server = await startServer();
    const sets = '/apis/apps/v1/namespaces/default/daemonsets';
    const labels = { app: 'a' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const set = { metadata: { name: 'd' }, spec: { selector: { matchLabels: labels }, template } };
    const { body } = await server.client.ask('POST', sets, set);
    assert.equal(at(body, 'metadata', 'generation'), 1);
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const labelled = await server.client.ask('PATCH', `${sets}/d`, { metadata: { labels } }, { headers });
    assert.equal(at(labelled.body, 'metadata', 'generation'), 1);
    const changed = await server.client.ask('PATCH', `${sets}/d`, { spec: { minReadySeconds: 1 } }, { headers });
    assert.equal(at(changed.body, 'metadata', 'generation'), 2);
    const selector = { spec: { selector: { matchLabels: { app: 'b' } } } };
    assert.equal((await server.client.ask('PATCH', `${sets}/d`, selector, { headers })).status, 422);
  });
});

describe('list', () => {
  it('comes in pages that show one revision', async () => {
    await using server = await startServer();
    for (const name of ['a', 'b', 'c', 'd', 'e']) await server.client.ask('POST', CONFIG_MAPS, configMap(name, {}));
    const first = await server.client.ask('GET', `${CONFIG_MAPS}?limit=2`);
    assert.deepEqual(names(first.body), ['a', 'b']);
    assert.equal(at(first.body, 'metadata', 'remainingItemCount'), 3);
    await server.client.ask('DELETE', `${CONFIG_MAPS}/c`);
    await server.client.ask('POST', CONFIG_MAPS, configMap('cc', {}));
    const token = encodeURIComponent(textAt(first.body, 'metadata', 'continue'));
    const second = await server.client.ask('GET', `${CONFIG_MAPS}?limit=3&continue=${token}`);
    assert.deepEqual(names(second.body), ['c', 'd', 'e'], 'as it was when the first page was read');
    assert.equal(textAt(second.body, 'metadata', 'resourceVersion'), textAt(first.body, 'metadata', 'resourceVersion'));
    assert.equal(at(second.body, 'metadata', 'continue'), undefined);
  });

  it('narrows by labels, fields and namespace', async () => {
    await using server = await startServer();
    await server.client.ask('POST', NAMESPACES, { metadata: { name: 'other' } });
    await server.client.ask('POST', CONFIG_MAPS, configMap('a', {}, { labels: { app: 'x' } }));
    await server.client.ask('POST', CONFIG_MAPS, configMap('b', {}, { labels: { app: 'y' } }));
    await server.client.ask(
      'POST',
      '/api/v1/namespaces/other/configmaps',
      configMap('c', {}, { labels: { app: 'x' } }),
    );
    assert.deepEqual(names((await server.client.ask('GET', `${CONFIG_MAPS}?labelSelector=app%3Dx`)).body), ['a']);
    assert.deepEqual(names((await server.client.ask('GET', '/api/v1/configmaps?labelSelector=app%3Dx')).body), [
      'a',
      'c',
    ]);
    const field = encodeURIComponent('metadata.namespace!=other');
    assert.deepEqual(names((await server.client.ask('GET', `/api/v1/configmaps?fieldSelector=${field}`)).body), [
      'a',
      'b',
    ]);
  });

  it('prints as a table, with wide columns marked', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    const { body } = await server.client.ask('GET', PODS, undefined, { headers: TABLE });
    assert.equal(body.kind, 'Table');
    const columns = objectsAt(body, 'columnDefinitions').map((one) => `${textAt(one, 'name')}:${String(one.priority)}`);
    assert.deepEqual(columns, [
      'Name:0',
      'Ready:0',
      'Status:0',
      'Restarts:0',
      'Age:0',
      'IP:1',
      'Node:1',
      'Nominated Node:1',
      'Readiness Gates:1',
    ]);
    const [row] = objectsAt(body, 'rows');
    assert.deepEqual(row?.cells, ['p', '0/1', 'Pending', '0', '0s', '<none>', '<none>', '<none>', '<none>']);
    assert.equal(textAt(row, 'object', 'kind'), 'PartialObjectMetadata');
  });

  it('gives metadata alone when that is asked for', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    const headers = { Accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' };
    const { body } = await server.client.ask('GET', PODS, undefined, { headers });
    assert.equal(body.kind, 'PartialObjectMetadataList');
    assert.deepEqual(Object.keys(objectsAt(body, 'items')[0] ?? {}), ['kind', 'apiVersion', 'metadata']);
  });

  it('answers 406 to a client that reads protobuf only, and JSON to one that would also read that', async () => {
    await using server = await startServer();
    const only = { Accept: 'application/vnd.kubernetes.protobuf' };
    assert.equal((await server.client.ask('GET', PODS, undefined, { headers: only })).status, 406);
    const both = { Accept: 'application/vnd.kubernetes.protobuf, application/json' };
    assert.equal((await server.client.ask('GET', PODS, undefined, { headers: both })).status, 200);
  });
});

describe('delete', () => {
  it('gives a running pod its grace period; the kubelet then ends it', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p', { spec: { nodeName: 'node1' } }));
    const { body } = await server.client.ask('DELETE', `${PODS}/p`);
    assert.equal(at(body, 'metadata', 'deletionGracePeriodSeconds'), 30);
    assert.notEqual(textAt(body, 'metadata', 'deletionTimestamp'), '');
    assert.equal((await server.client.ask('GET', `${PODS}/p`)).status, 200);
    const shorter = await server.client.ask('DELETE', `${PODS}/p?gracePeriodSeconds=5`);
    assert.equal(at(shorter.body, 'metadata', 'deletionGracePeriodSeconds'), 5);
    await server.client.ask('DELETE', `${PODS}/p`, { gracePeriodSeconds: 0 });
    assert.equal((await server.client.ask('GET', `${PODS}/p`)).status, 404);
  });

  it('removes a pod at once that no node runs', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    assert.equal((await server.client.ask('DELETE', `${PODS}/p`)).status, 200);
    assert.equal((await server.client.ask('GET', `${PODS}/p`)).status, 404);
  });

  it('waits for finalizers', async () => {
    await using server = await startServer();
    await server.client.ask('POST', CONFIG_MAPS, configMap('c', {}, { finalizers: ['example.com/f'] }));
    await server.client.ask('DELETE', `${CONFIG_MAPS}/c`);
    const { body } = await server.client.ask('GET', `${CONFIG_MAPS}/c`);
    assert.notEqual(textAt(body, 'metadata', 'deletionTimestamp'), '');
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const added = await server.client.ask(
      'PATCH',
      `${CONFIG_MAPS}/c`,
      { metadata: { finalizers: ['example.com/f', 'example.com/g'] } },
      { headers },
    );
    assert.equal(added.status, 422);
    assert.equal(
      (await server.client.ask('PATCH', `${CONFIG_MAPS}/c`, { metadata: { finalizers: null } }, { headers })).status,
      200,
    );
    assert.equal((await server.client.ask('GET', `${CONFIG_MAPS}/c`)).status, 404);
  });

  it('honours preconditions', async () => {
    await using server = await startServer();
    await server.client.ask('POST', CONFIG_MAPS, configMap('c', {}));
    const wrong = await server.client.ask('DELETE', `${CONFIG_MAPS}/c`, { preconditions: { uid: 'other' } });
    assert.equal(wrong.status, 409);
    assert.equal((await server.client.ask('GET', `${CONFIG_MAPS}/c`)).status, 200);
  });

  it('of a collection takes what the selector names', async () => {
    await using server = await startServer();
    for (const name of ['a', 'b'])
      await server.client.ask('POST', CONFIG_MAPS, configMap(name, {}, { labels: { app: name } }));
    assert.deepEqual(names((await server.client.ask('DELETE', `${CONFIG_MAPS}?labelSelector=app%3Da`)).body), ['a']);
    assert.deepEqual(names((await server.client.ask('GET', CONFIG_MAPS)).body), ['b']);
  });

  it('of a namespace empties it first, and waits for its pods', async () => {
    await using server = await startServer();
    await server.client.ask('POST', NAMESPACES, { metadata: { name: 'n' } });
    const inside = '/api/v1/namespaces/n';
    await server.client.ask('POST', `${inside}/pods`, pod('p', { spec: { nodeName: 'node1' } }));
    await server.client.ask('POST', `${inside}/configmaps`, configMap('c', {}));
    const watching = server.client.watch(`${NAMESPACES}?watch=1&fieldSelector=metadata.name%3Dn`, (events) =>
      events.some((one) => one.type === 'DELETED'),
    );
    const { body } = await server.client.ask('DELETE', `${NAMESPACES}/n`);
    assert.equal(textAt(body, 'status', 'phase'), 'Terminating');
    const refused = await server.client.ask('POST', `${inside}/configmaps`, configMap('d', {}));
    assert.equal(refused.status, 403);
    assert.match(textAt(refused.body, 'message'), /is being terminated/);
    await server.client.ask('DELETE', `${inside}/pods/p?gracePeriodSeconds=0`);
    await watching;
    assert.equal((await server.client.ask('GET', `${inside}/configmaps/c`)).status, 404);
  });
});

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
    assert.equal((await server.client.ask('GET', PODS, undefined, { token })).status, 200);
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

describe('events', () => {
  it('are the same in both groups', async () => {
    await using server = await startServer();
    const event = {
      metadata: { name: 'e' },
      eventTime: '2030-01-01T00:00:00.000000Z',
      reason: 'Started',
      type: 'Normal',
      action: 'Start',
      note: 'it began',
      reportingController: 'kubelet',
      reportingInstance: 'node1',
      regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
    };
    const newer = '/apis/events.k8s.io/v1/namespaces/default/events';
    const made = await server.client.ask('POST', newer, event);
    assert.equal(made.status, 201);
    assert.equal(textAt(made.body, 'note'), 'it began');
    const { body } = await server.client.ask('GET', '/api/v1/namespaces/default/events/e');
    assert.deepEqual([body.apiVersion, body.message, textAt(body, 'involvedObject', 'name')], ['v1', 'it began', 'p']);
    const selector = encodeURIComponent('regarding.name=p');
    const list = await server.client.ask('GET', `${newer}?fieldSelector=${selector}`);
    assert.deepEqual(
      objectsAt(list.body, 'items').map((one) => [one.apiVersion, one.reportingController]),
      [['events.k8s.io/v1', 'kubelet']],
    );
    const table = await server.client.ask('GET', newer, undefined, { headers: TABLE });
    assert.equal(Array.isArray(objectsAt(table.body, 'rows')[0]?.cells), true);
    assert.equal((await server.client.ask('DELETE', `${newer}/e`)).status, 200);
    assert.deepEqual(names((await server.client.ask('GET', '/api/v1/events')).body), []);
  });
});

describe('discovery', () => {
  it('names every kind in both forms', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('GET', '/api/v1');
    const found = objectsAt(body, 'resources').map((one) => textAt(one, 'name'));
    for (const name of ['pods', 'pods/exec', 'pods/status', 'nodes', 'services', 'events'])
      assert.ok(found.includes(name), name);
    const headers = { Accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json' };
    const { body: aggregated, headers: sent } = await server.client.ask('GET', '/apis', undefined, { headers });
    assert.match(String(sent['content-type']), /as=APIGroupDiscoveryList/);
    assert.deepEqual(
      objectsAt(aggregated, 'items').map((one) => textAt(one, 'metadata', 'name')),
      ['apps', 'authentication.k8s.io', 'authorization.k8s.io', 'coordination.k8s.io', 'events.k8s.io'],
    );
  });

  it('has an OpenAPI document that says how lists merge', async () => {
    await using server = await startServer();
    const { body: index } = await server.client.ask('GET', '/openapi/v3');
    const { body } = await server.client.ask('GET', textAt(index, 'paths', 'api/v1', 'serverRelativeURL'));
    const schema = at(body, 'components', 'schemas', 'io.k8s.api.v1.PodSpec', 'properties', 'containers');
    assert.equal(textAt(schema, 'x-kubernetes-patch-merge-key'), 'name');
  });
});
