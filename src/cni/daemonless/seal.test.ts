import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSealed, seal } from '#cni/daemonless/seal.ts';

test('isSealed tells a whole text from one that was cut short anywhere, changed or never sealed', () => {
  const whole = seal('one();\ntwo();\n');
  assert.equal(isSealed(whole), true);
  for (let length = 0; length < whole.length; length++) assert.equal(isSealed(whole.slice(0, length)), false);
  assert.equal(isSealed(whole.replace('two', 'six')), false);
  assert.equal(isSealed('one();\n'), false);
});
