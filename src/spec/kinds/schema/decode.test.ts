import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Json, JsonObject } from '#spec/kinds/json.ts';
import { decodeObject, ShapeError } from '#spec/kinds/schema/decode.ts';
import { fieldsOf } from '#spec/kinds/schema/fields.ts';
import { OWN_FIELDS } from '#spec/kinds/schema/own-fields.ts';
import { messageNameOf, wireFieldsOf } from '#spec/kinds/schema/protobuf.ts';
import { KINDS } from '#spec/kinds/table.ts';

function decoded(value: JsonObject, type: string): { value: JsonObject; unknown: string[] } {
  const copy = structuredClone(value);
  return { unknown: decodeObject(copy, type), value: copy };
}

describe('decodeObject', () => {
  it('drops and names unknown fields, with their indices', () => {
    const { value, unknown } = decoded(
      { spec: { containers: [{ name: 'a' }, { name: 'b', nope: 1 }], x: 2 }, y: 3 },
      'V1Pod',
    );
    assert.deepEqual(unknown, ['spec.containers[1].nope', 'spec.x', 'y']);
    assert.deepEqual(value, { spec: { containers: [{ name: 'a' }, { name: 'b' }] } });
  });

  it('takes null and empty collections as absent', () => {
    const { value } = decoded(
      { metadata: { name: 'a', labels: {}, creationTimestamp: null, finalizers: [] } },
      'V1ConfigMap',
    );
    assert.deepEqual(value, { metadata: { name: 'a' } });
  });

  it('takes false as absent where Go does, so that protobuf and JSON give the same', () => {
    const spec = {
      hostNetwork: false,
      enableServiceLinks: false,
      containers: [{ name: 'c', stdin: false, tty: true }],
    };
    const want = { enableServiceLinks: false, containers: [{ name: 'c', tty: true }] };
    assert.deepEqual(decoded({ spec }, 'V1Pod').value, { spec: want });
  });

  it('keeps empty objects, which mean something', () => {
    const { value } = decoded({ spec: { volumes: [{ name: 'v', emptyDir: {} }], securityContext: {} } }, 'V1Pod');
    assert.deepEqual(value, { spec: { volumes: [{ name: 'v', emptyDir: {} }], securityContext: {} } });
  });

  it('writes quantities given as numbers as texts', () => {
    const limits = (cpu: Json) => ({ spec: { containers: [{ name: 'a', resources: { limits: { cpu } } }] } });
    for (const [given, want] of [
      [1, '1'],
      [0.5, '500m'],
      ['2', '2'],
      [1.5, '1500m'],
    ] as const) {
      assert.deepEqual(decoded(limits(given), 'V1Pod').value, limits(want));
    }
  });

  const WRONG: readonly (readonly [string, JsonObject, RegExp])[] = [
    ['V1Pod', { spec: [] }, /cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec/],
    ['V1Pod', { spec: { containers: {} } }, /field PodSpec.spec.containers of type \[\]v1.Container/],
    [
      'V1Pod',
      { metadata: { labels: { a: 1 } } },
      /cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string/,
    ],
    ['V1Pod', { spec: { hostNetwork: 'yes' } }, /of type bool/],
    ['V1Pod', { spec: { priority: 1.5 } }, /cannot unmarshal number 1.5 .* of type int32/],
    ['V1Pod', { spec: { priority: 3e9 } }, /of type int32/],
    ['V1Secret', { data: { a: '***' } }, /illegal base64 data at input byte 0/],
    ['V1Pod', { metadata: { creationTimestamp: 'today' } }, /parsing time "today"/],
  ];
  for (const [type, value, says] of WRONG) {
    it(`refuses ${JSON.stringify(value)}`, () => {
      assert.throws(
        () => decoded(value, type),
        (error) => error instanceof ShapeError && says.test(error.message),
      );
    });
  }

  it('never fails in another way, and what it leaves decodes unchanged', () => {
    const keys = fc.constantFrom(
      'metadata',
      'spec',
      'containers',
      'name',
      'labels',
      'status',
      'x',
      'ports',
      'env',
      'resources',
      'limits',
    );
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue({ maxDepth: 1 }),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(fc.dictionary(keys, tree), (object) => {
        const copy: JsonObject = JSON.parse(JSON.stringify(object));
        try {
          decodeObject(copy, 'V1Pod');
        } catch (error) {
          assert.ok(error instanceof ShapeError);
          return;
        }
        const again = structuredClone(copy);
        assert.deepEqual(decodeObject(again, 'V1Pod'), []);
        assert.deepEqual(again, copy);
      }),
      { numRuns: 300 },
    );
  });
});

/** Groups whose messages kubectl does not carry, since it sends them as JSON. */
const JSON_ONLY = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io', 'metrics.k8s.io']);

describe('the generated tables', () => {
  it('hold the type of every kind, with all types that it refers to', () => {
    const open = KINDS.flatMap((kind) => (kind.schema === undefined ? [kind.type] : []));
    const seen = new Set<string>();
    for (let type = open.pop(); type !== undefined; type = open.pop()) {
      if (seen.has(type)) continue;
      seen.add(type);
      const fields = fieldsOf(type);
      assert.ok(fields, `${type} is missing: run src/cmd/generate-fields.ts`);
      for (const field of fields.values()) {
        let shape = field.shape;
        while (shape.is === 'list' || shape.is === 'map') shape = shape.of;
        if (shape.is === 'type') open.push(shape.name);
      }
    }
  });

  it('hold the protobuf message of every kind of Kubernetes itself', () => {
    for (const { group, version, kind, type } of KINDS) {
      if (type in OWN_FIELDS || JSON_ONLY.has(group)) continue;
      const name = messageNameOf(group === '' ? version : `${group}/${version}`, kind);
      assert.ok(name !== undefined && wireFieldsOf(name), `${kind} is missing: run src/cmd/generate-protobuf.ts`);
    }
  });

  it('agree on names: each protobuf field is a JSON field of the type, or is embedded', () => {
    for (const { type, group, version, kind } of KINDS) {
      const name = messageNameOf(group === '' ? version : `${group}/${version}`, kind) ?? '';
      for (const field of wireFieldsOf(name)?.values() ?? []) {
        assert.ok(field.form === 'inline' || fieldsOf(type)?.has(field.name), `${kind}.${field.name}`);
      }
    }
  });

  it('call fields as JSON does, where protobuf calls them otherwise', () => {
    const fields = wireFieldsOf('k8s.io.api.authentication.v1.BoundObjectReference');
    assert.deepEqual(
      [...(fields?.values() ?? [])].map(({ name }) => name),
      ['kind', 'apiVersion', 'name', 'uid'],
    );
  });
});
