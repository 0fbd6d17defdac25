import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyTally } from '#cli/test/tally.ts';
import { TapReader } from '#cli/test/tap.ts';

const details = (more: readonly string[]) => ['  ---', '  duration_ms: 12.4', ...more, '  ...'];

test('TapReader counts and shows what TAP tells, with the details of what failed', () => {
  const tally = emptyTally();
  let shown = '';
  const reader = new TapReader(tally, (text) => {
    shown += text;
  });
  const lines = [
    'TAP version 13',
    '# Subtest: a',
    'ok 1 - a',
    ...details(["  type: 'test'"]),
    'ok 2 - b # SKIP no module',
    ...details([]),
    '    ok 1 - d',
    'not ok 3 - c',
    ...details(['  error: |-', '    ok 9 - not a test']),
    '# said by a test',
    '1..3',
    '# tests 3',
    '[   27.6] reboot: Power down',
  ];
  for (const line of lines) reader.read(line);
  assert.deepEqual(tally, { passed: 1, failures: ['c'], skips: [{ name: 'b', reason: 'no module' }] });
  assert.equal(
    shown,
    `✔ a (12ms)
﹣ b # no module (12ms)
    ok 1 - d
✖ c
  ---
  duration_ms: 12.4
  error: |-
    ok 9 - not a test
  ...
# said by a test
[   27.6] reboot: Power down
`,
  );
  assert.equal(reader.refusal, undefined);
});

test('TapReader knows a plan that was skipped as a whole', () => {
  const tally = emptyTally();
  const reader = new TapReader(tally, () => {});
  for (const line of ['TAP version 13', '1..0 # SKIP no QEMU']) reader.read(line);
  assert.equal(reader.refusal, 'no QEMU');
  assert.deepEqual(tally, emptyTally());
});
