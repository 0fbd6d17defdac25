import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchesFields, parseFieldSelector } from '#serve/api/select/fields.ts';
import { matchesLabels, parseLabelSelector } from '#serve/api/select/labels.ts';
import { POD } from '#spec/kinds/core/pod.ts';

const LABELS = { app: 'web', tier: 'front', 'example.com/n': '5', empty: '' };

describe('label selectors', () => {
  const ROWS: readonly (readonly [string, boolean])[] = [
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app=other', false],
    ['app!=other', true],
    ['app!=web', false],
    ['missing!=x', true],
    ['app in (web, db)', true],
    ['app in (db)', false],
    ['app notin (db)', true],
    ['missing notin (db)', true],
    ['missing in (db)', false],
    ['app', true],
    ['missing', false],
    ['!missing', true],
    ['!app', false],
    ['empty=', true],
    ['app=', false],
    ['example.com/n>4', true],
    ['example.com/n<5', false],
    ['app in (web,db),tier=front,!missing', true],
    ['app in (web,db),tier=back', false],
  ];
  for (const [text, want] of ROWS) {
    it(`${JSON.stringify(text)} ${want ? 'matches' : 'does not match'}`, () => {
      assert.equal(matchesLabels(parseLabelSelector(text), LABELS), want);
    });
  }

  for (const text of [
    '=x',
    'a b',
    'app in',
    'app in (web',
    'UPPER CASE=x',
    'a=b=c',
    'a/b/c=d',
    `a=${'x'.repeat(64)}`,
  ]) {
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.throws(() => parseLabelSelector(text), { code: 400 });
    });
  }

  it('do not see what every object inherits', () => {
    assert.equal(matchesLabels(parseLabelSelector('toString'), {}), false);
  });
});

describe('field selectors', () => {
  const stored = {
    resource: 'pods',
    namespace: 'default',
    name: 'p',
    revision: 1,
    text: '',
    labels: {},
    fields: { 'spec.nodeName': 'node1', 'status.phase': 'Running' },
  };
  const ROWS: readonly (readonly [string, boolean])[] = [
    ['metadata.name=p', true],
    ['metadata.name==q', false],
    ['metadata.namespace=default,spec.nodeName=node1', true],
    ['status.phase!=Running', false],
    ['spec.nodeName=', false],
    ['spec.nodeName!=', true],
  ];
  for (const [text, want] of ROWS) {
    it(`${text} ${want ? 'matches' : 'does not match'}`, () => {
      assert.equal(matchesFields(parseFieldSelector(text, POD), stored), want);
    });
  }

  it('refuse fields that are not indexed', () => {
    for (const text of ['spec.foo=1', 'nonsense', 'polder.nodePorts=1']) {
      assert.throws(() => parseFieldSelector(text, POD), { code: 400 });
    }
  });
});
