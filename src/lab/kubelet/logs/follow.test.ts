import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { LogQuery } from '#lab/kubelet/logs/entry.ts';
import { readLog } from '#lab/kubelet/logs/follow.ts';

const dir = mkdtempSync(join(tmpdir(), 'pt-log-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const QUERY: LogQuery = { follow: false, previous: false, timestamps: false };
let serial = 0;

function setUp() {
  const path = join(dir, `${serial++}.log`);
  const write = (...texts: string[]) => {
    for (const text of texts) appendFileSync(path, `2026-01-01T00:00:00Z stdout F ${text}\n`);
  };
  return { path, write };
}

async function whole(path: string, query: Partial<LogQuery>): Promise<string> {
  const log = readLog(path, { ...QUERY, ...query }, () => true, new AbortController().signal);
  let text = '';
  for await (const piece of log) text += piece;
  return text;
}

test('a log is read from its rotated and its current file', async () => {
  const { path, write } = setUp();
  write('1', '2');
  renameSync(path, `${path}.1`);
  write('3');
  assert.equal(await whole(path, {}), '1\n2\n3\n');
  assert.equal(await whole(path, { tailLines: 2 }), '2\n3\n');
  assert.equal(await whole(path, { limitBytes: 3 }), '1\n2');
});

test('a log that is not there is empty', async () => {
  assert.equal(await whole(join(dir, 'none'), { follow: true }), '');
});

test('a tail of a long log counts from its end', async () => {
  const { path, write } = setUp();
  write(...Array.from({ length: 3000 }, (_, i) => `line ${i} ${'x'.repeat(60)}`));
  assert.match(await whole(path, { tailLines: 1 }), /^line 2999 x+\n$/);
});

test('a follower gets what is written later, over a rotation, and ends with the container', async () => {
  const { path, write } = setUp();
  let over = false;
  write('1');
  const log = readLog(path, { ...QUERY, follow: true }, () => over, new AbortController().signal);
  assert.equal((await log.next()).value, '1\n');
  write('2');
  assert.equal((await log.next()).value, '2\n');
  renameSync(path, `${path}.1`);
  write('3');
  assert.equal((await log.next()).value, '3\n');
  write('4');
  over = true;
  assert.equal((await log.next()).value, '4\n');
  assert.equal((await log.next()).done, true);
});

test('a follower whose client goes away ends', async () => {
  const { path, write } = setUp();
  write('1');
  const client = new AbortController();
  const log = readLog(path, { ...QUERY, follow: true }, () => false, client.signal);
  await log.next();
  const next = log.next();
  client.abort();
  assert.equal((await next).done, true);
});
