import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openApiIndex, openApiV2, openApiV3 } from '#serve/api/discovery/openapi.ts';
import { Kinds } from '#serve/api/kinds.ts';
import { DEFINITIONS_PATH, definition, version } from '#serve/api/testing/definitions.ts';
import { startServer } from '#serve/api/testing/server.ts';
import { isObject, type Json, type JsonObject, objectAt, textAt } from '#spec/kinds/json.ts';
import { OWN_FIELDS } from '#spec/kinds/schema/own-fields.ts';

const kinds = new Kinds();
const v2: JsonObject = JSON.parse(openApiV2(kinds).bytes.toString());
/** Kubernetes itself says nothing of these. */
const SILENT = new Set(['JSONSchemaProps', 'ExternalDocumentation', ...Object.keys(OWN_FIELDS)]);

function* schemasIn(value: Json | undefined): Generator<JsonObject> {
  if (!isObject(value)) return;
  yield value;
  for (const one of Object.values(objectAt(value, 'properties'))) yield* schemasIn(one);
  yield* schemasIn(value.items);
  yield* schemasIn(value.additionalProperties);
}

describe('OpenAPI', () => {
  it('describes every type of Kubernetes and each of its fields', () => {
    const silent: string[] = [];
    for (const [name, schema] of Object.entries(objectAt(v2, 'definitions'))) {
      if (SILENT.has(name.split('.').at(-1) ?? '')) continue;
      if (textAt(schema, 'description') === '') silent.push(name);
      for (const [field, one] of Object.entries(objectAt(schema, 'properties')))
        if (textAt(one, 'description') === '') silent.push(`${name}.${field}`);
    }
    assert.deepEqual(silent, []);
  });

  it('has no schema without a word, which kubectl explain takes for none', () => {
    for (const group of kinds.groups())
      for (const one of group[1]) {
        const text = openApiV3(kinds, { group: group[0], version: one }).bytes.toString();
        const schemas = objectAt(JSON.parse(text), 'components', 'schemas');
        for (const [name, schema] of Object.entries(schemas))
          for (const inner of schemasIn(schema)) assert.notEqual(Object.keys(inner).length, 0, name);
      }
  });

  it('keeps types of one name apart', () => {
    const definitions = objectAt(v2, 'definitions');
    assert.ok(objectAt(definitions, 'io.k8s.api.core.v1.Event', 'properties').involvedObject);
    assert.ok(objectAt(definitions, 'io.k8s.api.events.v1.Event', 'properties').regarding);
  });

  it('leads from its index to a document that is sent once, and anew when a definition changed it', async () => {
    await using server = await startServer();
    const { client } = server;
    const gauges = async () => {
      const { body } = await client.ask('GET', '/openapi/v3');
      return textAt(body, 'paths', 'apis/lab.example.org/v1', 'serverRelativeURL');
    };
    assert.equal(await gauges(), '');
    await client.ask('POST', DEFINITIONS_PATH, definition([version('v1', { description: 'The first.' })]));
    const first = await gauges();
    const { status, headers, text } = await client.ask('GET', first);
    assert.equal(status, 200);
    assert.match(text, /The first\./);
    const known = { headers: { 'If-None-Match': String(headers.etag) } };
    assert.equal((await client.ask('GET', first, undefined, known)).status, 304);
    const changed = definition([version('v1', { description: 'The second.' })]);
    const made = await client.ask('GET', `${DEFINITIONS_PATH}/gauges.lab.example.org`);
    const metadata = objectAt(made.body, 'metadata');
    assert.equal(
      (await client.ask('PUT', `${DEFINITIONS_PATH}/gauges.lab.example.org`, { ...changed, metadata })).status,
      200,
    );
    const second = await gauges();
    assert.notEqual(second, first);
    assert.match((await client.ask('GET', second, undefined, known)).text, /The second\./);
    for (const path of ['/openapi/v4', '/openapi/v3/apis/no/v1', '/openapi/v2/x'])
      assert.equal((await client.ask('GET', path)).status, 404, path);
  });

  it('of the same kinds is the same document', () => {
    assert.deepEqual(openApiIndex(new Kinds()), openApiIndex(kinds));
  });
});
