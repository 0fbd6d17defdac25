import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONFIG_MAPS, PODS, pod, startServer } from '#serve/api/testing/server.ts';
import { type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';

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
      name: 'server-side apply without a manager',
      method: 'PATCH',
      path: `${PODS}/p`,
      raw: '{}',
      type: 'application/apply-patch+yaml',
      status: 422,
      says: /fieldManager: Required value/,
    },
    {
      name: 'server-side apply as CBOR',
      method: 'PATCH',
      path: `${PODS}/p`,
      raw: '{}',
      type: 'application/apply-patch+cbor',
      status: 415,
      says: /accepted media types include: .*apply-patch\+yaml/,
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
      name: 'a grace period that is no number',
      method: 'DELETE',
      path: `${PODS}/p`,
      body: { gracePeriodSeconds: 1.5 },
      status: 400,
      says: /invalid value for gracePeriodSeconds: 1.5/,
    },
    {
      name: 'an unknown propagation policy',
      method: 'DELETE',
      path: `${PODS}/p?propagationPolicy=Sideways`,
      status: 422,
      says: /propagationPolicy: Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan", "nil"/,
    },
    {
      name: 'two propagation policies',
      method: 'DELETE',
      path: `${PODS}/p`,
      body: { propagationPolicy: 'Orphan', orphanDependents: false },
      status: 422,
      says: /cannot be both set/,
    },
    {
      name: 'an unknown field validation',
      path: `${PODS}?fieldValidation=Loose`,
      body: pod('p'),
      status: 422,
      says: /fieldValidation: Unsupported value: "Loose"/,
    },
    {
      name: 'another dry run than all',
      path: `${PODS}?dryRun=Some`,
      body: pod('p'),
      status: 422,
      says: /CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: \["Some"\]: supported values: "All"/,
    },
    {
      name: 'a match without a revision',
      method: 'GET',
      path: `${PODS}?resourceVersionMatch=Exact`,
      status: 422,
      says: /resourceVersionMatch is forbidden unless resourceVersion is provided/,
    },
    {
      name: 'an exact match with any revision',
      method: 'GET',
      path: `${PODS}?resourceVersionMatch=Exact&resourceVersion=0`,
      status: 422,
      says: /"Exact" is forbidden for resourceVersion "0"/,
    },
    {
      name: 'an unknown match',
      method: 'GET',
      path: `${PODS}?resourceVersionMatch=Near&resourceVersion=1`,
      status: 422,
      says: /Unsupported value: "Near": supported values: "Exact", "NotOlderThan"/,
    },
    {
      name: 'a match on a further page',
      method: 'GET',
      path: `${PODS}?resourceVersionMatch=NotOlderThan&resourceVersion=1&continue=x`,
      status: 422,
      says: /forbidden when continue is provided/,
    },
    {
      name: 'a revision on a further page',
      method: 'GET',
      path: `${PODS}?resourceVersion=1&continue=x`,
      status: 400,
      says: /not allowed when using continue/,
    },
    {
      name: 'initial events of a list',
      method: 'GET',
      path: `${PODS}?sendInitialEvents=true`,
      status: 422,
      says: /sendInitialEvents is forbidden for list/,
    },
    {
      name: 'a match of a watch without initial events',
      method: 'GET',
      path: `${PODS}?watch=1&resourceVersionMatch=NotOlderThan`,
      status: 422,
      says: /forbidden for watch unless sendInitialEvents is provided/,
    },
    {
      name: 'a revision that is no number',
      method: 'GET',
      path: `${PODS}?resourceVersion=abc`,
      status: 400,
      says: /invalid value for resourceVersion: "abc"/,
    },
    {
      name: 'an object of a later revision',
      method: 'GET',
      path: `${PODS}/p?resourceVersion=999999`,
      status: 504,
      says: /Too large resource version: 999999/,
    },
    {
      name: 'a deletion of the pods of all namespaces at once',
      method: 'DELETE',
      path: '/api/v1/pods',
      status: 405,
      says: /does not allow this method/,
    },
    {
      name: 'a deletion of all namespaces at once',
      method: 'DELETE',
      path: '/api/v1/namespaces',
      status: 405,
      says: /does not allow this method/,
    },
    { name: 'POST to discovery', path: '/apis/apps', body: {}, status: 405, says: /does not allow this method/ },
    {
      name: 'an owner without a uid',
      body: pod('p', { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: '' }] } }),
      status: 422,
      says: /metadata.ownerReferences\[0\].uid: Invalid value: "": must not be empty/,
    },
    {
      name: 'two managing owners',
      body: pod('p', {
        metadata: {
          ownerReferences: ['a', 'b'].map((name) => ({
            apiVersion: 'v1',
            kind: 'Node',
            name,
            uid: name,
            controller: true,
          })),
        },
      }),
      status: 422,
      says: /Only one reference can have Controller set to true/,
    },
    {
      name: 'a finalizer that is no name',
      body: pod('p', { metadata: { finalizers: ['no finalizer'] } }),
      status: 422,
      says: /metadata.finalizers: Invalid value: "no finalizer"/,
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
