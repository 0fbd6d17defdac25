/** Every case that the suite can have stands in the table of levels. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RELEASED } from '#cni/conformance/case.ts';
import { casesOf } from '#cni/conformance/cases/all.ts';
import { DESCRIPTORS } from '#cni/conformance/descriptors/table.ts';
import { isWithin, LEVELS, standingOf } from '#cni/conformance/levels.ts';

test('standingOf knows each case of each plugin that the suite knows', () => {
  for (const subject of DESCRIPTORS) {
    const cases = casesOf({ subject, supported: RELEASED, newest: '1.1.0', has: () => true });
    assert.ok(cases.length > 30);
    for (const { id } of cases) assert.ok(standingOf(id, subject.kind).section, `${subject.type}/${id}`);
  }
});

test('standingOf refuses a case that no row tells of', () => {
  assert.throws(() => standingOf('dance.twice', 'main'), RangeError);
});

test('standingOf tells a second ADD of what makes an interface from one of what does not', () => {
  const levels = (['main', 'meta', 'ipam'] as const).map((kind) => standingOf('add.twice', kind).level);
  assert.deepEqual(levels, ['must', 'beyond', 'beyond']);
});

test('isWithin takes the levels before it along', () => {
  const taken = LEVELS.map((most) => LEVELS.filter((level) => isWithin(level, most)));
  assert.deepEqual(taken, [['must'], ['must', 'should'], ['must', 'should', 'beyond']]);
});
