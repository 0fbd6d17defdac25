/** Descriptors from outside: what is taken, and that whatever is wrong is said with its place. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseDescriptors } from '#cni/conformance/descriptor-file.ts';
import { DESCRIPTORS } from '#cni/conformance/descriptors/table.ts';

test('parseDescriptors takes the suite’s own, and the example of the documentation', () => {
  assert.deepEqual(parseDescriptors(JSON.stringify(DESCRIPTORS)), JSON.parse(JSON.stringify(DESCRIPTORS)));
  const page = readFileSync(join(import.meta.dirname, '../../../docs/conformance-cni.md'), 'utf8');
  const [, example = ''] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  assert.equal(parseDescriptors(example)[0]?.type, 'my-plugin');
});

test('the documentation names each key, tool, feature and placeholder', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/conformance-cni.md'), 'utf8');
  for (const wrong of [{ dance: 1 }, { effects: [EFFECT] }, { needs: ['nonsense'] }]) {
    const words = messageOf([{ ...GOOD, ...wrong }]).replace(/^.*(?:there are|one of) /, '');
    for (const word of words.replace(/, not .*$/, '').split(', ')) assert.ok(page.includes(`\`${word}\``), word);
  }
});

const GOOD = { type: 'x', kind: 'main', conf: {} };
const EFFECT = { say: 'x', in: 'pod', tool: 'foo', has: {} };

/** What is wrong, and what is said of it. */
const WRONG: readonly (readonly [unknown, RegExp])[] = [
  [{}, /^it is not a JSON list of descriptors$/],
  [[1], /^\[0\] must be an object, not 1$/],
  [[GOOD, { kind: 'main', conf: {} }], /^\[1\]\.type is missing$/],
  [[{ ...GOOD, conf: null }], /^\[0\]\.conf must be an object, not null$/],
  [[{ ...GOOD, kind: 'other' }], /^\[0\]\.kind must be one of main, ipam, meta, not "other"$/],
  [[{ ...GOOD, tampers: 'boo' }], /^\[0\]\.tampers must be a list, not "boo"$/],
  [[{ ...GOOD, effects: [EFFECT] }], /^\[0\]\.effects\[0\]\.tool must be one of addr, .*sysctl, not "foo"$/],
  [[{ ...GOOD, needs: ['nonsense'] }], /^\[0\]\.needs\[0\] must be one of bridge, .*, not "nonsense"$/],
  [[{ ...GOOD, setup: [[]] }], /^\[0\]\.setup\[0\]\[0\] must be a text that is not empty, not nothing$/],
  [[{ ...GOOD, efects: [] }], /^\[0\]\.efects: there is no such key; there are type, kind, conf, /],
  [
    [{ ...GOOD, effects: [{ ...EFFECT, tool: 'addr', has: { a: [{ b: '/(/' }] } }] }],
    /^\[0\]\.effects\[0\]\.has\.a\[0\]\.b is no regular expression: /,
  ],
  [[{ ...GOOD, skip: { 'add.twice': 1 } }], /^\[0\]\.skip\["add\.twice"\] must be a text that is not empty, not 1$/],
  [[GOOD, GOOD], /^\[1\]\.type: x is described twice$/],
];

function messageOf(list: unknown): string {
  try {
    parseDescriptors(JSON.stringify(list));
  } catch (error) {
    assert.ok(error instanceof TypeError);
    return error.message;
  }
  return '';
}

for (const [list, says] of WRONG)
  test(`parseDescriptors refuses ${JSON.stringify(list)}`, () => assert.match(messageOf(list), says));
