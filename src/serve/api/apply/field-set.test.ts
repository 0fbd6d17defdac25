import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  difference,
  type FieldSet,
  fromFieldsV1,
  intersection,
  isEmpty,
  keyElement,
  NOTHING,
  pathText,
  sameSet,
  setOfPaths,
  toFieldsV1,
  union,
  without,
} from '#serve/api/apply/field-set.ts';

const element = fc.oneof(
  fc.constantFrom('a', 'b', 'spec').map((name) => `f:${name}`),
  fc.json({ maxDepth: 0 }).map((json) => `v:${JSON.stringify(JSON.parse(json))}`),
  fc.record({ name: fc.constantFrom('x', 'y'), port: fc.nat(3) }).map(keyElement),
);
const sets: fc.Arbitrary<FieldSet> = fc
  .array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 6 })
  .map((paths) => setOfPaths(...paths));

describe('a set of fields', () => {
  it('is the same after it was written as fieldsV1 and read', () => {
    fc.assert(fc.property(sets, (set) => isEmpty(set) || sameSet(fromFieldsV1(toFieldsV1(set)), set)));
  });

  it('is its difference and its intersection with another one together', () => {
    fc.assert(fc.property(sets, sets, (a, b) => sameSet(union(difference(a, b), intersection(a, b)), a)));
  });

  it('shares nothing with what was taken away', () => {
    fc.assert(fc.property(sets, sets, (a, b) => isEmpty(intersection(difference(union(a, b), b), b))));
  });

  it('loses what is below a place as well, where that is asked for', () => {
    const set = setOfPaths(['f:a'], ['f:a', 'f:b'], ['f:c', 'f:d']);
    assert.ok(sameSet(without(set, setOfPaths(['f:a'])), setOfPaths(['f:c', 'f:d'])));
    assert.ok(sameSet(without(set, NOTHING), set));
  });

  it('reads keys in any order as the same item', () => {
    const read = (key: string) => fromFieldsV1({ [key]: {} });
    assert.ok(sameSet(read('k:{"port":80,"protocol":"TCP"}'), read('k:{"protocol":"TCP", "port":80}')));
  });

  it('refuses what is no fieldsV1', () => {
    for (const wrong of [null, 'x', [], { a: {} }, { 'f:a': 1 }, { 'k:{': {} }, { 'v:': {} }])
      assert.throws(() => fromFieldsV1(wrong), SyntaxError, JSON.stringify(wrong));
  });

  it('writes paths as messages have them', () => {
    assert.equal(
      pathText(['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}']),
      '.spec.ports[port=80,protocol="TCP"]',
    );
    assert.equal(pathText(['f:metadata', 'f:finalizers', 'v:"x"']), '.metadata.finalizers[="x"]');
  });
});
