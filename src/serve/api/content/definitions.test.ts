import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFINITIONS_PATH, definition, GAUGE_SPEC, GAUGES, gauge, version } from '#serve/api/testing/definitions.ts';
import { names, startServer, TABLE, type TestServer } from '#serve/api/testing/server.ts';
import { at, type JsonObject, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';

const MERGE = { headers: { 'Content-Type': 'application/merge-patch+json' } };
const ONE = `${DEFINITIONS_PATH}/gauges.lab.example.org`;

async function define(server: TestServer, made = definition([version('v1', GAUGE_SPEC)])): Promise<JsonObject> {
  const { status, body, text } = await server.client.ask('POST', DEFINITIONS_PATH, made);
  assert.equal(status, 201, text);
  return body;
}

function condition(body: JsonObject, type: string): string {
  return textAt(
    objectsAt(body, 'status', 'conditions').find((one) => one.type === type),
    'status',
  );
}

describe('a CustomResourceDefinition', () => {
  it('is served and discovered from the moment in which it is made, also after a restart', async () => {
    await using server = await startServer(undefined, true);
    const made = await define(server);
    assert.equal(condition(made, 'Established'), 'True');
    assert.equal(condition(made, 'NamesAccepted'), 'True');
    assert.deepEqual(at(made, 'status', 'storedVersions'), ['v1']);
    assert.equal(at(made, 'spec', 'names', 'listKind'), 'GaugeList');
    assert.equal((await server.client.ask('POST', GAUGES, gauge('g', { unit: 'bar' }))).status, 201);
    await using again = await server.restart();
    const list = await again.client.ask('GET', GAUGES);
    assert.equal(list.body.kind, 'GaugeList');
    assert.deepEqual(names(list.body), ['g']);
    const resources = await again.client.ask('GET', '/apis/lab.example.org/v1');
    assert.deepEqual(
      objectsAt(resources.body, 'resources').map((one) => [one.name, one.shortNames, one.categories]),
      [['gauges', ['gg'], ['all']]],
    );
    const v3 = await again.client.ask('GET', '/openapi/v3/apis/lab.example.org/v1');
    const schema = objectAt(v3.body, 'components', 'schemas', 'org.example.lab.v1.Gauge');
    assert.equal(at(schema, 'properties', 'spec', 'properties', 'unit', 'description'), 'What it measures in.');
    const v2 = await again.client.ask('GET', '/openapi/v2');
    assert.ok(at(v2.body, 'definitions', 'org.example.lab.v1.Gauge', 'properties', 'spec', 'properties', 'unit'));
  });

  it('fills in defaults, drops what its schema does not know and says so', async () => {
    await using server = await startServer();
    await define(server);
    const spec = { unit: 'bar', colour: 'red', raw: { any: [1] }, needles: [{ name: 'a', x: 1 }], note: null };
    const { body, headers } = await server.client.ask('POST', GAUGES, gauge('g', spec));
    assert.deepEqual(body.spec, {
      unit: 'bar',
      raw: { any: [1] },
      needles: [{ name: 'a', colour: 'red' }],
      note: null,
      replicas: 1,
    });
    assert.match(String(headers.warning), /unknown field \\"spec.colour\\".*unknown field \\"spec.needles\[0\].x\\"/);
    const strict = await server.client.ask('POST', `${GAUGES}?fieldValidation=Strict`, gauge('h', spec));
    assert.equal(strict.status, 400);
    assert.match(textAt(strict.body, 'message'), /strict decoding error: unknown field "spec.colour"/);
  });

  for (const [what, spec, field, message] of [
    ['a missing field', {}, 'spec.unit', /Required value/],
    ['a wrong type', { unit: 'bar', replicas: 'x' }, 'spec.replicas', /must be of type integer: "string"/],
    ['a value not allowed', { unit: 'mm' }, 'spec.unit', /Unsupported value: "mm": supported values: "bar", "psi"/],
    ['a number too large', { unit: 'bar', replicas: 11 }, 'spec.replicas', /less than or equal to 10/],
    ['a pattern', { unit: 'bar', serial: 'x' }, 'spec.serial', /should match '\^G-\[0-9\]\+\$'/],
    ['a text too long', { unit: 'bar', serial: 'G-1234567' }, 'spec.serial', /Too long/],
    ['a format', { unit: 'bar', address: '1.2.3' }, 'spec.address', /must be of type ipv4/],
    ['an int-or-string', { unit: 'bar', port: 1.5 }, 'spec.port', /must be of type integer,string/],
    ['a map of texts', { unit: 'bar', labels: { a: 1 } }, 'spec.labels.a', /must be of type string/],
    ['a doubled key', { unit: 'bar', needles: [{ name: 'a' }, { name: 'a' }] }, 'spec.needles[1]', /Duplicate value/],
    ['a doubled item', { unit: 'bar', tags: ['a', 'a'] }, 'spec.tags[1]', /Duplicate value: "a"/],
    ['a null', { unit: 'bar', serial: null }, 'spec.serial', /must be of type string: "null"/],
  ] as const) {
    it(`refuses ${what} with the path of the field`, async () => {
      await using server = await startServer();
      await define(server);
      const { status, body } = await server.client.ask('POST', GAUGES, gauge('g', structuredClone(spec) as JsonObject));
      assert.equal(status, 422);
      const [cause] = objectsAt(body, 'details', 'causes');
      assert.equal(cause?.field, field);
      assert.match(String(cause?.message), message);
    });
  }

  it('prints the columns that it names', async () => {
    await using server = await startServer();
    const columns = [
      { name: 'Unit', type: 'string', jsonPath: '.spec.unit' },
      { name: 'Needles', type: 'string', jsonPath: '.spec.needles[*].name' },
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ];
    await define(server, definition([version('v1', GAUGE_SPEC, { additionalPrinterColumns: columns })]));
    const status = {
      conditions: [
        { type: 'Other', status: 'False' },
        { type: 'Ready', status: 'True' },
      ],
    };
    await server.client.ask('POST', GAUGES, {
      ...gauge('g', { unit: 'bar', needles: [{ name: 'a' }, { name: 'b' }] }),
      status,
    });
    await server.client.ask('POST', GAUGES, gauge('h', { unit: 'psi' }));
    const { body } = await server.client.ask('GET', GAUGES, undefined, { headers: TABLE });
    assert.deepEqual(
      objectsAt(body, 'columnDefinitions').map((one) => [one.name, one.priority]),
      [
        ['Name', 0],
        ['Unit', 0],
        ['Needles', 0],
        ['Ready', 0],
        ['Replicas', 1],
        ['Age', 0],
      ],
    );
    const cells = objectsAt(body, 'rows').map((row) => (Array.isArray(row.cells) ? row.cells.slice(0, 5) : []));
    assert.deepEqual(cells, [
      ['g', 'bar', 'a b', 'True', 1],
      ['h', 'psi', null, null, 1],
    ]);
  });

  it('keeps status and scale apart when it has them, and counts generations of the content', async () => {
    await using server = await startServer();
    const scale = {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    };
    await define(server, definition([version('v1', GAUGE_SPEC, { subresources: { status: {}, scale } })]));
    const made = await server.client.ask('POST', GAUGES, { ...gauge('g', { unit: 'bar' }), status: { replicas: 9 } });
    assert.equal(made.body.status, undefined);
    assert.equal(at(made.body, 'metadata', 'generation'), 1);
    const status = { status: { replicas: 2, selector: 'a=b' } };
    const set = await server.client.ask('PATCH', `${GAUGES}/g/status`, { ...status, spec: { unit: 'psi' } }, MERGE);
    assert.deepEqual(set.body.status, status.status);
    assert.equal(at(set.body, 'spec', 'unit'), 'bar');
    assert.equal(at(set.body, 'metadata', 'generation'), 1);
    const scaled = await server.client.ask('PATCH', `${GAUGES}/g/scale`, { spec: { replicas: 3 } }, MERGE);
    assert.deepEqual(scaled.body.spec, { replicas: 3 });
    assert.deepEqual(scaled.body.status, { replicas: 2, selector: 'a=b' });
    const { body } = await server.client.ask('GET', `${GAUGES}/g`);
    assert.equal(at(body, 'spec', 'replicas'), 3);
    assert.equal(at(body, 'metadata', 'generation'), 2);
  });

  it('serves several versions of one thing, and keeps what it has when the stored one changes', async () => {
    await using server = await startServer();
    const old = version('v1beta1', GAUGE_SPEC, { storage: false, deprecated: true });
    await define(server, definition([version('v1', GAUGE_SPEC), old]));
    const beta = GAUGES.replace('/v1/', '/v1beta1/');
    const made = await server.client.ask('POST', beta, {
      ...gauge('g', { unit: 'bar' }),
      apiVersion: 'lab.example.org/v1beta1',
    });
    assert.equal(made.status, 201);
    assert.equal(made.body.apiVersion, 'lab.example.org/v1beta1');
    assert.match(String(made.headers.warning), /lab.example.org\/v1beta1 Gauge is deprecated/);
    assert.equal((await server.client.ask('GET', `${GAUGES}/g`)).body.apiVersion, 'lab.example.org/v1');
    const group = await server.client.ask('GET', '/apis/lab.example.org');
    assert.deepEqual(
      objectsAt(group.body, 'versions').map((one) => one.version),
      ['v1', 'v1beta1'],
    );
    const turned = [version('v1', GAUGE_SPEC, { storage: false }), version('v1beta1', GAUGE_SPEC)];
    const changed = await server.client.ask('PATCH', ONE, { spec: { versions: turned } }, MERGE);
    assert.deepEqual(at(changed.body, 'status', 'storedVersions'), ['v1', 'v1beta1']);
    for (const [path, expected] of [
      [GAUGES, 'v1'],
      [beta, 'v1beta1'],
    ] as const) {
      const { body } = await server.client.ask('GET', path);
      assert.deepEqual(
        objectsAt(body, 'items').map((one) => one.apiVersion),
        [`lab.example.org/${expected}`],
      );
    }
    const dropped = await server.client.ask('PATCH', ONE, { spec: { versions: turned.slice(1) } }, MERGE);
    assert.equal(dropped.status, 422);
    assert.match(
      textAt(dropped.body, 'message'),
      /status.storedVersions\[0\]: Invalid value: "v1": must appear in spec.versions/,
    );
  });

  it('takes its objects with it, after their finalizers', async () => {
    await using server = await startServer();
    await define(server);
    await server.client.ask('POST', GAUGES, gauge('g', { unit: 'bar' }));
    const held = gauge('held', { unit: 'bar' });
    await server.client.ask('POST', GAUGES, { ...held, metadata: { name: 'held', finalizers: ['lab.example.org/x'] } });
    const watching = server.client.watch(`${GAUGES}?watch=1`, (events) => events.some((one) => one.type === 'DELETED'));
    const gone = server.client.watch(`${DEFINITIONS_PATH}?watch=1`, (events) =>
      events.some((one) => one.type === 'DELETED'),
    );
    const ending = await server.client.ask('DELETE', ONE);
    assert.notEqual(textAt(ending.body, 'metadata', 'deletionTimestamp'), '');
    assert.equal(condition(ending.body, 'Terminating'), 'True');
    assert.equal((await server.client.ask('POST', GAUGES, gauge('new', { unit: 'bar' }))).status, 405);
    assert.deepEqual(
      (await watching).filter((one) => one.type === 'DELETED').map((one) => textAt(one, 'object', 'metadata', 'name')),
      ['g'],
    );
    await server.client.ask('PATCH', `${GAUGES}/held`, { metadata: { finalizers: null } }, MERGE);
    await gone;
    assert.equal((await server.client.ask('GET', GAUGES)).status, 404);
    assert.equal((await server.client.ask('GET', '/apis/lab.example.org')).status, 404);
  });

  it('waits for names that another one has', async () => {
    await using server = await startServer();
    await define(server);
    const names = { plural: 'meters', kind: 'Meter', shortNames: ['gg'] };
    const other = {
      ...definition([version('v1', GAUGE_SPEC)], { names }),
      metadata: { name: 'meters.lab.example.org' },
    };
    const waiting = await define(server, other);
    assert.equal(condition(waiting, 'NamesAccepted'), 'False');
    assert.equal((await server.client.ask('GET', GAUGES.replace('gauges', 'meters'))).status, 404);
    const accepted = server.client.watch(`${DEFINITIONS_PATH}?watch=1`, (events) =>
      events.some(
        (one) =>
          textAt(one, 'object', 'metadata', 'name').startsWith('meters') &&
          condition(objectAt(one, 'object'), 'Established') === 'True',
      ),
    );
    await server.client.ask('DELETE', ONE);
    await accepted;
    assert.equal((await server.client.ask('GET', GAUGES.replace('gauges', 'meters'))).status, 200);
  });

  it('merges lists by the keys of its schema when it is applied, and knows no strategic merge', async () => {
    await using server = await startServer();
    await define(server);
    const applied = { headers: { 'Content-Type': 'application/apply-patch+yaml' } };
    const ask = (manager: string, spec: JsonObject) =>
      server.client.ask('PATCH', `${GAUGES}/g?fieldManager=${manager}`, gauge('g', spec), applied);
    await ask('ann', { unit: 'bar', needles: [{ name: 'a' }], tags: ['x'] });
    const { body } = await ask('bob', { needles: [{ name: 'b', width: 2 }], tags: ['y'] });
    assert.deepEqual(at(body, 'spec', 'needles'), [
      { name: 'a', colour: 'red' },
      { name: 'b', width: 2, colour: 'red' },
    ]);
    assert.deepEqual(at(body, 'spec', 'tags'), ['x', 'y']);
    const less = await ask('ann', { unit: 'bar' });
    assert.deepEqual(at(less.body, 'spec', 'needles'), [{ name: 'b', width: 2, colour: 'red' }]);
    assert.deepEqual(at(less.body, 'spec', 'tags'), ['y']);
    const strategic = { headers: { 'Content-Type': 'application/strategic-merge-patch+json' } };
    assert.equal((await server.client.ask('PATCH', `${GAUGES}/g`, {}, strategic)).status, 415);
  });

  it('lets field selectors name what it says', async () => {
    await using server = await startServer();
    await define(server, definition([version('v1', GAUGE_SPEC, { selectableFields: [{ jsonPath: '.spec.unit' }] })]));
    await server.client.ask('POST', GAUGES, gauge('g', { unit: 'bar' }));
    await server.client.ask('POST', GAUGES, gauge('h', { unit: 'psi' }));
    assert.deepEqual(names((await server.client.ask('GET', `${GAUGES}?fieldSelector=spec.unit%3Dpsi`)).body), ['h']);
    assert.equal((await server.client.ask('GET', `${GAUGES}?fieldSelector=spec.serial%3Dx`)).status, 400);
  });

  for (const [what, made, message] of [
    [
      'a name that is not plural and group',
      { ...definition([version('v1', {})]), metadata: { name: 'x.y' } },
      /metadata.name: Invalid value: "x.y"/,
    ],
    ['no stored version', definition([version('v1', {}, { storage: false })]), /exactly one version marked as storage/],
    [
      'two stored versions',
      definition([version('v1', {}), version('v2', {})]),
      /exactly one version marked as storage/,
    ],
    [
      'a version without a schema',
      definition([{ name: 'v1', served: true, storage: true }]),
      /openAPIV3Schema: Required value: schemas are required/,
    ],
    [
      'a field without a type',
      definition([version('v1', { properties: { x: {} } })]),
      /properties\[x\].type: Required value/,
    ],
    [
      'an unknown type',
      definition([version('v1', { properties: { x: { type: 'date' } } })]),
      /Unsupported value: "date"/,
    ],
    [
      'a list without items',
      definition([version('v1', { properties: { x: { type: 'array' } } })]),
      /items: Required value/,
    ],
    [
      'a default that does not fit',
      definition([version('v1', { properties: { x: { type: 'string', default: 1 } } })]),
      /properties\[x\].default: Invalid value/,
    ],
    [
      'list keys that are no fields',
      definition([
        version('v1', {
          properties: {
            x: {
              type: 'array',
              'x-kubernetes-list-type': 'map',
              'x-kubernetes-list-map-keys': ['k'],
              items: { type: 'object' },
            },
          },
        }),
      ]),
      /x-kubernetes-list-map-keys: Invalid value: "k"/,
    ],
    [
      'a broken column',
      definition([
        version('v1', {}, { additionalPrinterColumns: [{ name: 'X', type: 'string', jsonPath: 'spec..[' }] }),
      ]),
      /jsonPath: Invalid value/,
    ],
    [
      'a webhook',
      definition([version('v1', {})], { conversion: { strategy: 'Webhook' } }),
      /spec.conversion.strategy: Unsupported value: "Webhook"/,
    ],
    ['another scope', definition([version('v1', {})], { scope: 'World' }), /spec.scope: Unsupported value: "World"/],
    [
      'a protected group',
      { ...definition([version('v1', {})], { group: 'x.k8s.io' }), metadata: { name: 'gauges.x.k8s.io' } },
      /api-approved.kubernetes.io/,
    ],
  ] as const) {
    it(`is refused with ${what}`, async () => {
      await using server = await startServer();
      const { status, body } = await server.client.ask('POST', DEFINITIONS_PATH, made);
      assert.equal(status, 422);
      assert.match(textAt(body, 'message'), message);
    });
  }
});
