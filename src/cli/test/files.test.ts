import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { FILE_ARGS } from '#cli/test/files.ts';

/** More than a pipe holds by far. */
const TESTS = 2000;
const MANY = `import { test } from 'node:test';
setInterval(() => {}, 1000);
for (let i = 0; i < ${TESTS}; i++) test('t' + i + 'x'.repeat(1000), () => {});`;

test('a file that leaves something open ends, and the result of each of its tests is told', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'polder-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'many.test.mjs'), MANY);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = [...FILE_ARGS, '--test-reporter=tap', join(dir, 'many.test.mjs')];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  assert.equal((await text(child.stdout)).match(/^ok /gm)?.length, TESTS);
});
