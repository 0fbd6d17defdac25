import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { duplicateFields } from '#serve/api/http/duplicates.ts';
import { parseYaml } from '#serve/api/http/yaml.ts';

describe('duplicateFields', () => {
  for (const [text, paths] of [
    ['{"a":1,"b":2}', []],
    ['{"a":1,"a":2}', ['a']],
    ['{"spec":{"containers":[{"name":"c"},{"name":"d","image":"i","name":"e"}]}}', ['spec.containers[1].name']],
    ['{"a":{"x":1},"b":{"x":1}}', []],
    ['{"metadata":{"labels":{"a.b/c":"1","a.b/c":"2"}}}', ['metadata.labels.a.b/c']],
    ['{"a":"\\"a\\":1","\\u0061":2}', ['a']],
    ['{"a":"ends in \\\\","a":"{["}', ['a']],
    ['[[1,{"k":1,"k":1,"k":1}]]', ['[0][1].k']],
    ['"a"', []],
    ['{}', []],
  ] as const) {
    it(`of ${text} are ${JSON.stringify(paths)}`, () => assert.deepEqual(duplicateFields(text), paths));
  }

  it('finds none in what JSON.stringify writes, whatever the value', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => assert.deepEqual(duplicateFields(JSON.stringify(value)), [])));
  });

  it('finds a key that is put in twice, whatever stands around it', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), fc.jsonValue(), (key, one, two) => {
        const name = JSON.stringify(key);
        const text = `{${name}:${JSON.stringify(one)},"\\u0000other":[${JSON.stringify(two)}],${name}:${JSON.stringify(two)}}`;
        assert.deepEqual(duplicateFields(`[${text}]`), [key === '' ? '[0].' : `[0].${key}`]);
      }),
    );
  });
});

describe('parseYaml', () => {
  it('takes the last of two keys and says where the second stands', () => {
    const { value, duplicates } = parseYaml('a: 1\nb:\n  c: 1\n  c: 2\na: 3\n');
    assert.deepEqual(value, { a: 3, b: { c: 2 } });
    assert.deepEqual(duplicates.toSorted(), [
      'yaml: line 4: key "c" already set in map',
      'yaml: line 5: key "a" already set in map',
    ]);
  });

  it('refuses what is no YAML, more than one document, and aliases that multiply', () => {
    assert.throws(() => parseYaml('a: ['));
    assert.throws(() => parseYaml('a: 1\n---\nb: 2\n'), /multiple documents/);
    const levels = Array.from({ length: 9 }, (_, n) => `l${n + 1}: &l${n + 1} [${Array(9).fill(`*l${n}`).join(', ')}]`);
    assert.throws(() => parseYaml(['l0: &l0 [x]', ...levels].join('\n')), /alias/i);
  });
});
