import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openApiV2 } from '#serve/api/discovery/openapi.ts';
import { Kinds } from '#serve/api/kinds.ts';
import { encodeOpenApiV2 } from '#serve/api/protobuf/openapi-v2.ts';
import { type Message, readMessage } from '#serve/api/protobuf/wire.ts';
import { at, type JsonObject, objectAt } from '#spec/kinds/json.ts';

function messages(message: Message, number: number): Message[] {
  return (message.get(number) ?? []).filter((value) => value instanceof Uint8Array).map(readMessage);
}

function texts(message: Message, number: number): string[] {
  return (message.get(number) ?? []).map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : ''));
}

/** Pairs of a name and a message. */
function named(message: Message | undefined, number: number): Map<string, Message> {
  const pairs = message === undefined ? [] : messages(message, number);
  return new Map(pairs.map((pair) => [texts(pair, 1)[0] ?? '', messages(pair, 2)[0] ?? new Map()]));
}

describe('encodeOpenApiV2', () => {
  const document: JsonObject = JSON.parse(openApiV2(new Kinds()).bytes.toString());
  const encoded = readMessage(encodeOpenApiV2(document));

  it('holds every definition with every property', () => {
    const definitions = named(messages(encoded, 9)[0], 1);
    assert.deepEqual([...definitions.keys()], Object.keys(objectAt(document, 'definitions')));
    for (const [name, schema] of definitions) {
      const properties = [...named(messages(schema, 25)[0], 1).keys()];
      assert.deepEqual(properties, Object.keys(objectAt(document, 'definitions', name, 'properties')), name);
    }
  });

  it('says of which kind a definition is, and how its lists merge', () => {
    const definitions = named(messages(encoded, 9)[0], 1);
    const extension = (schema: Message | undefined) => named(schema, 31);
    const pod = extension(definitions.get('io.k8s.api.v1.Pod')).get('x-kubernetes-group-version-kind') ?? new Map();
    assert.deepEqual(JSON.parse(texts(pod, 2)[0] ?? ''), [{ group: '', version: 'v1', kind: 'Pod' }]);
    const spec = named(messages(definitions.get('io.k8s.api.v1.PodSpec') ?? new Map(), 25)[0], 1);
    const key = extension(spec.get('containers')).get('x-kubernetes-patch-merge-key') ?? new Map();
    assert.deepEqual(texts(key, 2), ['"name"']);
  });

  it('holds the paths with the parameters that kubectl looks for', () => {
    const paths = named(messages(encoded, 8)[0], 2);
    assert.ok(at(document, 'paths', '/api/v1/namespaces/{namespace}/pods/{name}', 'patch'));
    const patch = messages(paths.get('/api/v1/namespaces/{namespace}/pods/{name}') ?? new Map(), 8)[0] ?? new Map();
    const query = messages(patch, 8)
      .flatMap((item) => messages(item, 1))
      .flatMap((one) => messages(one, 2))
      .flatMap((one) => messages(one, 3));
    assert.deepEqual(
      query.flatMap((one) => texts(one, 4)),
      ['dryRun', 'fieldManager', 'fieldValidation'],
    );
  });
});
