import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { clockParameters, tscKhz } from './clock.ts';

const noCompiler = spawnSync('cc', ['--version']).status === 0 ? false : 'there is no C compiler';

test("the guest is told the frequency of the machine's counter, the same each time", {
  skip: process.arch === 'x64' ? noCompiler : 'the machine is made for x86-64',
}, (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'polder-clock-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const [first, second] = [tscKhz(dir), tscKhz(dir)];
  assert.ok(first !== undefined && second !== undefined);
  assert.ok(first > 500_000 && first < 10_000_000, `${first} kHz`);
  assert.ok(Math.abs(first - second) < first / 1000, `${first} and ${second} kHz`);
  assert.match(clockParameters(dir).join(' '), /^tsc_early_khz=\d+$/);
});
