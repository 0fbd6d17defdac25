import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countLine } from '#cli/test/machine.ts';
import { emptyTally } from '#cli/test/tally.ts';

test('countLine counts what TAP tells, and nothing else', () => {
  const tally = emptyTally();
  const lines = [
    'TAP version 13',
    '# Subtest: a',
    'ok 1 - a',
    'ok 2 - b # SKIP no module',
    'not ok 3 - c',
    '    ok 1 - d',
  ];
  for (const line of [...lines, '1..3', '[   27.6] reboot: Power down']) countLine(tally, line);
  assert.deepEqual(tally, { passed: 1, failures: ['c'], skips: [{ name: 'b', reason: 'no module' }] });
  countLine(tally, '1..0 # SKIP no QEMU');
  assert.deepEqual(tally.skips.at(-1), { name: 'the virtual machine', reason: 'no QEMU' });
});
