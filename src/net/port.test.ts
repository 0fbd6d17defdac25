import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePort, readPort } from '#net/port.ts';

test('readPort takes 1 to 65535 and nothing else', () => {
  for (const port of [1, 65535, '80']) assert.equal(readPort(port), Number(port));
  for (const port of [0, 65536, 1.5, Number.NaN, '', '080', '80 ', '-1', 'http'])
    assert.equal(readPort(port), undefined);
  assert.throws(() => parsePort(0), /Cannot use 0 as a port/);
});
