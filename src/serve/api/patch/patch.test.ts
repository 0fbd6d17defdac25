import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StatusError } from '#serve/api/http/status-error.ts';
import { applyJsonPatch } from '#serve/api/patch/json.ts';
import { applyMergePatch } from '#serve/api/patch/merge.ts';
import { applyStrategicPatch } from '#serve/api/patch/strategic.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import { fieldsOf } from '#spec/kinds/schema/fields.ts';
import { allMergeRules } from '#spec/kinds/schema/merge-keys.ts';

const POD: JsonObject = {
  metadata: { name: 'p', labels: { a: '1', b: '2' }, finalizers: ['x', 'y'] },
  spec: {
    containers: [
      {
        name: 'one',
        image: 'i1',
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
        command: ['a', 'b'],
      },
      { name: 'two', image: 'i2' },
    ],
    volumes: [{ name: 'v', emptyDir: {} }],
    tolerations: [{ key: 'k', operator: 'Exists' }],
  },
};

interface Case {
  readonly name: string;
  readonly patch: JsonObject;
  readonly path: readonly (string | number)[];
  readonly want: unknown;
}

const CASES: readonly Case[] = [
  {
    name: 'merges keyed lists by their key',
    patch: { spec: { containers: [{ name: 'two', image: 'new' }] } },
    path: ['spec', 'containers', 1, 'image'],
    want: 'new',
  },
  {
    name: 'keeps items that a keyed list does not name',
    patch: { spec: { containers: [{ name: 'two', image: 'new' }] } },
    path: ['spec', 'containers', 0, 'image'],
    want: 'i1',
  },
  {
    name: 'merges keyed lists inside of items',
    patch: {
      spec: {
        containers: [
          {
            name: 'one',
            env: [
              { name: 'B', value: '3' },
              { name: 'C', value: '4' },
            ],
          },
        ],
      },
    },
    path: ['spec', 'containers', 0, 'env'],
    want: [
      { name: 'A', value: '1' },
      { name: 'B', value: '3' },
      { name: 'C', value: '4' },
    ],
  },
  {
    name: 'replaces lists without a key',
    patch: { spec: { containers: [{ name: 'one', command: ['c'] }] } },
    path: ['spec', 'containers', 0, 'command'],
    want: ['c'],
  },
  {
    name: 'replaces tolerations, which are atomic',
    patch: { spec: { tolerations: [{ key: 'other' }] } },
    path: ['spec', 'tolerations'],
    want: [{ key: 'other' }],
  },
  {
    name: 'deletes an item by $patch: delete',
    patch: { spec: { containers: [{ $patch: 'delete', name: 'one' }] } },
    path: ['spec', 'containers'],
    want: [{ name: 'two', image: 'i2' }],
  },
  {
    name: 'replaces a keyed list by $patch: replace',
    patch: { spec: { containers: [{ $patch: 'replace' }, { name: 'three', image: 'i3' }] } },
    path: ['spec', 'containers'],
    want: [{ name: 'three', image: 'i3' }],
  },
  {
    name: 'replaces a map by $patch: replace',
    patch: { metadata: { labels: { $patch: 'replace', c: '3' } } },
    path: ['metadata', 'labels'],
    want: { c: '3' },
  },
  {
    name: 'deletes a key by null',
    patch: { metadata: { labels: { a: null } } },
    path: ['metadata', 'labels'],
    want: { b: '2' },
  },
  {
    name: 'unites lists of texts that merge',
    patch: { metadata: { finalizers: ['y', 'z'] } },
    path: ['metadata', 'finalizers'],
    want: ['x', 'y', 'z'],
  },
  {
    name: 'removes texts by $deleteFromPrimitiveList',
    patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['x'] } },
    path: ['metadata', 'finalizers'],
    want: ['y'],
  },
  {
    name: 'orders a keyed list by $setElementOrder',
    patch: {
      spec: {
        '$setElementOrder/containers': [{ name: 'two' }, { name: 'one' }],
        containers: [{ name: 'two', image: 'n' }],
      },
    },
    path: ['spec', 'containers'],
    want: [{ name: 'two', image: 'n' }, (POD.spec as JsonObject & { containers: JsonObject[] }).containers[0]],
  },
  {
    name: 'puts a new item of a keyed list before those it does not name',
    patch: { spec: { containers: [{ name: 'zero', image: 'z' }] } },
    path: ['spec', 'containers', 0],
    want: { name: 'zero', image: 'z' },
  },
  {
    name: 'leaves the items that it names where they are among the others',
    patch: { spec: { containers: [{ name: 'two', image: 'n' }] } },
    path: ['spec', 'containers', 1, 'image'],
    want: 'n',
  },
  {
    name: 'drops keys of a union that $retainKeys does not name',
    patch: { spec: { volumes: [{ $retainKeys: ['name', 'hostPath'], name: 'v', hostPath: { path: '/x' } }] } },
    path: ['spec', 'volumes'],
    want: [{ name: 'v', hostPath: { path: '/x' } }],
  },
];

function dig(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((here, key) => (here as Record<string | number, unknown>)[key], value);
}

describe('applyStrategicPatch', () => {
  for (const { name, patch, path, want } of CASES) {
    it(name, () => assert.deepEqual(dig(applyStrategicPatch(POD, patch, 'V1Pod'), path), want));
  }

  it('does not change its arguments', () => {
    const before = JSON.stringify(POD);
    for (const { patch } of CASES) applyStrategicPatch(POD, patch, 'V1Pod');
    assert.equal(JSON.stringify(POD), before);
  });

  it('refuses an item without its merge key', () => {
    assert.throws(() => applyStrategicPatch(POD, { spec: { containers: [{ image: 'x' }] } }, 'V1Pod'), StatusError);
  });

  it('strips directives from what is new', () => {
    const patch = { spec: { nodeSelector: { a: null, b: 'c' }, volumes: [{ name: 'w', $retainKeys: ['name'] }] } };
    const spec = dig(applyStrategicPatch({}, patch, 'V1Pod'), ['spec']);
    assert.deepEqual(spec, { nodeSelector: { b: 'c' }, volumes: [{ name: 'w' }] });
  });
});

describe('merge keys', () => {
  it('name fields that their types have', () => {
    for (const [type, field, rule] of allMergeRules()) {
      const shape = fieldsOf(type)?.get(field)?.shape;
      assert.equal(shape?.is, 'list', `${type}.${field}`);
      if (rule.key === undefined || shape?.is !== 'list' || shape.of.is !== 'type') continue;
      assert.ok(fieldsOf(shape.of.name)?.has(rule.key), `${type}.${field} by ${rule.key}`);
    }
  });
});

describe('applyMergePatch', () => {
  // RFC 7396, appendix A.
  const ROWS: readonly (readonly [string, string, string])[] = [
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ];
  for (const [target, patch, want] of ROWS) {
    it(`makes ${want} of ${target} and ${patch}`, () => {
      assert.deepEqual(applyMergePatch(JSON.parse(target), JSON.parse(patch)), JSON.parse(want));
    });
  }
});

describe('applyJsonPatch', () => {
  it('applies operations in order', () => {
    const patch = [
      { op: 'add', path: '/metadata/labels/c', value: '3' },
      { op: 'remove', path: '/metadata/labels/a' },
      { op: 'replace', path: '/spec/containers/0/image', value: 'n' },
    ];
    const result = applyJsonPatch(POD, patch);
    assert.deepEqual(dig(result, ['metadata', 'labels']), { b: '2', c: '3' });
    assert.equal(dig(result, ['spec', 'containers', 0, 'image']), 'n');
  });

  it('answers 422 when a test fails and changes nothing', () => {
    const before = JSON.stringify(POD);
    const patch = [{ op: 'test', path: '/metadata/name', value: 'other' }];
    assert.throws(() => applyJsonPatch(POD, patch), { code: 422 });
    assert.equal(JSON.stringify(POD), before);
  });

  it('answers 400 to what is no list of operations', () => {
    for (const patch of [{}, [{ op: 'jump', path: '/a' }], [{ op: 'add' }], [1]]) {
      assert.throws(() => applyJsonPatch(POD, patch), { code: 400 });
    }
  });

  it('cannot reach prototypes', () => {
    assert.throws(() => applyJsonPatch({}, [{ op: 'add', path: '/__proto__/polluted', value: 1 }]), StatusError);
    assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  });
});
