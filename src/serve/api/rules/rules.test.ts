import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readExpression } from '#serve/api/rules/cel.ts';
import { malformedRules, ruleErrors, ruleWarnings } from '#serve/api/rules/rules.ts';
import { celName, celValue } from '#serve/api/rules/value.ts';
import { definition, version } from '#serve/api/testing/definitions.ts';
import { kindsOf } from '#spec/kinds/custom/kind.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';

function definitionOf(spec: JsonObject): KubeObject {
  return {
    ...definition([version('v1', spec)]),
    apiVersion: 'v1',
    kind: 'X',
    metadata: { name: 'gauges.lab.example.org' },
  };
}

function errorsOf(schema: JsonObject, spec: JsonObject, old?: JsonObject): string[] {
  const [kind] = kindsOf(definitionOf(schema));
  assert.ok(kind);
  const of = (value: JsonObject): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Gauge',
    metadata: { name: 'g' },
    spec: value,
  });
  return ruleErrors(kind, of(spec), old && of(old)).map(
    ({ reason, field, message }) => `${reason} ${field}: ${message}`,
  );
}

const rules = (...all: (string | JsonObject)[]) => ({
  'x-kubernetes-validations': all.map((one) => (typeof one === 'string' ? { rule: one } : one)),
});
const NUMBERS: JsonObject = {
  least: { type: 'integer' },
  most: { type: 'integer' },
  ratio: { type: 'number' },
  either: { 'x-kubernetes-int-or-string': true },
  size: { type: 'string' },
  since: { type: 'string', format: 'date-time' },
  'max-age': { type: 'integer' },
  namespace: { type: 'string' },
  tags: { type: 'array', items: { type: 'string' } },
  labels: { type: 'object', additionalProperties: { type: 'string' } },
};

describe('rules', () => {
  const CASES: readonly (readonly [string, JsonObject, boolean])[] = [
    ['self.least <= self.most', { least: 1, most: 2 }, true],
    ['self.least <= self.most', { least: 3, most: 2 }, false],
    ['self.least + 1 == 2 && self.ratio < 1.0 && self.ratio * 2.0 == 1.0', { least: 1, ratio: 0.5 }, true],
    ['self.ratio == 1.0', { ratio: 1 }, true],
    ['has(self.least) || has(self.most)', {}, false],
    ['type(self.either) == int ? self.either > 79 : self.either == "http"', { either: 80 }, true],
    ['type(self.either) == int ? self.either > 79 : self.either == "http"', { either: 'http' }, true],
    ['self.max__dash__age > 5 && self.__namespace__ == "x"', { 'max-age': 6, namespace: 'x' }, true],
    ['self.tags.all(t, t.matches("^[a-z]+$")) && self.tags.exists_one(t, t == "a")', { tags: ['a', 'b'] }, true],
    ['self.tags.isSorted() && self.tags.indexOf("b") == 1', { tags: ['a', 'b'] }, true],
    ['self.tags.map(t, size(t)).sum() == 4 && self.tags.map(t, size(t)).max() == 3', { tags: ['a', 'bcd'] }, true],
    ['self.labels.all(k, k.startsWith("app"))', { labels: { 'app.a': '1', other: '2' } }, false],
    ['"a-b" in self.labels && self.labels["a-b"] == "1"', { labels: { 'a-b': '1' } }, true],
    ['quantity(self.size).isLessThan(quantity("2Gi"))', { size: '1500Mi' }, true],
    ['isQuantity(self.size)', { size: 'much' }, false],
    ['isIP(self.size) || isCIDR(self.size)', { size: '10.0.0.1/8' }, true],
    ['isIP(self.size) || isCIDR(self.size)', { size: '10.0.0.999' }, false],
    ['self.size.find("[0-9]+") == "12" && self.size.replace("a", "b") == "b12"', { size: 'a12' }, true],
    ['self.since > timestamp("2020-01-01T00:00:00Z")', { since: '2021-01-01T00:00:00Z' }, true],
    ['self.?size.orValue("none") == "none"', {}, true],
    ['self.least > 0', {}, false],
    [
      'ip(self.size).family() == 4 && ip(self.size).isGlobalUnicast() && !ip(self.size).isLoopback()',
      { size: '10.0.0.1' },
      true,
    ],
    ['ip(self.size).isLinkLocalUnicast() && ip.isCanonical(self.size)', { size: 'fe80::1' }, true],
    ['ip.isCanonical(self.size)', { size: 'FE80::0:1' }, false],
    ['ip(self.size) == ip("2001:db8::1") && string(ip(self.size)) == "2001:db8::1"', { size: '2001:DB8:0::1' }, true],
    ['isIP(self.size)', { size: '::ffff:1.2.3.4' }, false],
    ['ip(self.size).isUnspecified() || ip(self.size).isLinkLocalMulticast()', { size: '224.0.0.5' }, true],
    ['ip(self.size).family() == 4', { size: 'none' }, false],
    [
      'cidr(self.size).containsIP("10.1.2.3") && !cidr(self.size).containsIP(ip("11.0.0.1"))',
      { size: '10.0.0.0/8' },
      true,
    ],
    [
      'cidr(self.size).containsCIDR("10.1.0.0/16") && cidr(self.size).prefixLength() == 8',
      { size: '10.0.0.0/8' },
      true,
    ],
    ['cidr(self.size).containsCIDR(cidr("10.0.0.0/7"))', { size: '10.0.0.0/8' }, false],
    ['cidr(self.size) == cidr(self.size).masked()', { size: '10.0.0.1/8' }, false],
    [
      'string(cidr(self.size).masked()) == "10.0.0.0/8" && string(cidr(self.size).ip()) == "10.0.0.1"',
      { size: '10.0.0.1/8' },
      true,
    ],
    ['cidr(self.size).containsIP("::1")', { size: '10.0.0.0/8' }, false],
    [
      'url(self.size).getScheme() == "https" && url(self.size).getHostname() == "a.example"',
      { size: 'https://a.example:8/p' },
      true,
    ],
    ['url(self.size).getPort() == "8" && url(self.size).getHost() == "[::1]:8"', { size: 'http://[::1]:8/' }, true],
    [
      'url(self.size).getEscapedPath() == "/a%20b%2F" && url(self.size).getQuery()["k"] == ["1", "2"]',
      { size: '/a b%2F?k=1&k=2' },
      true,
    ],
    ['isURL(self.size)', { size: '/absolute/path' }, true],
    ['isURL(self.size)', { size: '../relative' }, false],
    ['isURL(self.size)', { size: 'https://a b/' }, false],
    ['!format.dns1123Label().validate(self.size).hasValue()', { size: 'a-b' }, true],
    ['!format.dns1123Label().validate(self.size).hasValue()', { size: 'A_b' }, false],
    ['format.named("uuid").value().validate(self.size).orValue([]).size() == 1', { size: 'no' }, true],
    ['!format.named("nothing").hasValue()', { size: 'no' }, true],
    ['format.dns1035LabelPrefix().validate(self.size).hasValue()', { size: 'web-' }, false],
    ['sets.contains(self.tags, ["a"]) && sets.equivalent(self.tags, ["b", "a", "a"])', { tags: ['a', 'b'] }, true],
    ['sets.intersects(self.tags, ["x"])', { tags: ['a', 'b'] }, false],
    [
      'quantity(self.size).add(quantity("500m")).isGreaterThan(quantity("1")) && quantity("4").asInteger() == 4',
      { size: '750m' },
      true,
    ],
    [
      '"%s is %d, %.2f, %x".format([self.size, self.least, self.ratio, 255]) == "a is 1, 0.50, ff"',
      { size: 'a', least: 1, ratio: 0.5 },
      true,
    ],
    ['self.size.replace("a", "b", 1) == "ba" && self.size.findAll("a", 1) == ["a"]', { size: 'aa' }, true],
  ];
  for (const [rule, spec, holds] of CASES)
    it(`${rule} of ${JSON.stringify(spec)} ${holds ? 'holds' : 'is broken'}`, () => {
      const errors = errorsOf({ properties: NUMBERS, ...rules(rule) }, spec);
      assert.equal(errors.length === 0, holds, errors.join());
    });

  it('say what the definition tells them to say, where it tells them', () => {
    const schema = {
      properties: {
        least: { type: 'integer', ...rules({ rule: 'self > 0', message: 'too small' }) },
        most: { type: 'integer' },
      },
      ...rules(
        { rule: 'self.least < self.most', messageExpression: '"not above " + string(self.least)' },
        { rule: 'self.most < 10', reason: 'FieldValueForbidden', fieldPath: '.most', message: 'no' },
        'self.most != 11',
      ),
    };
    assert.deepEqual(errorsOf(schema, { least: 0, most: -1 }), [
      'FieldValueInvalid spec: Invalid value: "object": not above 0',
      'FieldValueInvalid spec.least: Invalid value: "integer": too small',
    ]);
    assert.deepEqual(errorsOf(schema, { least: 1, most: 11 }), [
      'FieldValueForbidden spec.most: Forbidden: no',
      'FieldValueInvalid spec: Invalid value: "object": failed rule: self.most != 11',
    ]);
  });

  it('of changes see what was there before, and ask nothing of what stays as it is', () => {
    const item = {
      type: 'object',
      properties: { name: { type: 'string' }, unit: { type: 'string', ...rules('self == oldSelf') } },
    };
    const list = {
      type: 'array',
      items: item,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    };
    const schema = { properties: { list, least: { type: 'integer', ...rules('self >= oldSelf', 'self < 5') } } };
    assert.deepEqual(errorsOf(schema, { least: 1 }), [], 'a new object has no before');
    assert.deepEqual(errorsOf(schema, { least: 9 }, { least: 9 }), [], 'what broke a rule before may stay');
    assert.equal(errorsOf(schema, { least: 1 }, { least: 2 }).length, 1);
    const one = {
      list: [
        { name: 'a', unit: 'bar' },
        { name: 'b', unit: 'psi' },
      ],
    };
    const other = {
      list: [
        { name: 'b', unit: 'psi' },
        { name: 'a', unit: 'mm' },
        { name: 'c', unit: 'x' },
      ],
    };
    assert.deepEqual(
      errorsOf(schema, other, one).map((text) => text.split(':')[0]),
      ['FieldValueInvalid spec.list[1].unit'],
      'items are the same by their keys, wherever they stand',
    );
  });

  it('with optionalOldSelf see whether there was anything before', () => {
    const grows = { rule: '!oldSelf.hasValue() || self >= oldSelf.value()', optionalOldSelf: true };
    const starts = { rule: 'oldSelf.hasValue() || self == 1', optionalOldSelf: true, message: 'begins with 1' };
    const schema = { properties: { least: { type: 'integer', ...rules(grows, starts) } } };
    assert.deepEqual(errorsOf(schema, { least: 1 }), []);
    assert.match(errorsOf(schema, { least: 2 }).join(), /begins with 1/);
    assert.deepEqual(errorsOf(schema, { least: 2 }, { least: 1 }), []);
    assert.equal(errorsOf(schema, { least: 1 }, { least: 2 }).length, 1);
    const idle = { properties: { least: { type: 'integer', ...rules({ rule: 'self > 0', optionalOldSelf: true }) } } };
    assert.match(
      malformedRules(definitionOf(idle))
        .map(({ message }) => message)
        .join(),
      /does not use oldSelf/,
    );
  });

  it('that are no expressions are found with their path, and those with unknown functions are kept', () => {
    const spec = {
      properties: NUMBERS,
      ...rules('self.least >', 'semver(self.size).isLessThan(semver("1.0.0"))'),
    };
    assert.deepEqual(
      malformedRules(definitionOf(spec)).map(({ field }) => field),
      ['spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule'],
    );
    assert.match(
      ruleWarnings(definitionOf(spec)).join(),
      /validations\[1\].rule: it calls .*semver.*kept, not evaluated/,
    );
    assert.deepEqual(errorsOf(spec, { size: 'Bad Label' }), []);
  });

  it('neither crash nor hang on any text that is given for one', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = readExpression(text);
        assert.ok(typeof read === 'string' || read.text === text);
      }),
    );
  });
});

describe('celName', () => {
  for (const [field, name] of [
    ['name', 'name'],
    ['namespace', '__namespace__'],
    ['a-b', 'a__dash__b'],
    ['a.b/c', 'a__dot__b__slash__c'],
    ['a__b', 'a__underscores__b'],
  ] as const)
    it(`of ${field} is ${name}`, () => assert.equal(celName(field), name));
});

describe('celValue', () => {
  it('takes any value of JSON', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void celValue(JSON.parse(JSON.stringify(value)), {})));
  });
});
