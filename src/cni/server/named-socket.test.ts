import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { NamedSocket } from '#cni/server/named-socket.ts';
import { decodeCall, encodeAnswer, encodeCall } from '#wire/cni/frame.ts';

/** A socket that answers with what it was asked; `says` resolves with the next thing that it logs. */
function echoing(t: TestContext, may: Promise<void> = Promise.resolve()) {
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-'));
  const path = join(dir, 'run/cni.sock');
  const called = Promise.withResolvers<void>();
  let said = Promise.withResolvers<string>();
  const log = (_: object, message: string) => said.resolve(message);
  const serve = async (frame: Uint8Array) => {
    const { stdin } = decodeCall(frame);
    called.resolve();
    await may;
    return encodeAnswer(0, stdin);
  };
  const socket = new NamedSocket(path, serve, { info: log, warn: log, error: log });
  t.after(async () => {
    await socket.close();
    rmSync(dir, { recursive: true });
  });
  const says = () => {
    said = Promise.withResolvers<string>();
    return said.promise;
  };
  return { path, socket, says, called: called.promise };
}

async function ask(path: string): Promise<string> {
  const caller = connect(path);
  caller.end(encodeCall({ argv0: 'x', env: {}, stdin: 'asked' }));
  const [answer]: Buffer[] = await once(caller, 'data');
  return answer?.toString() ?? '';
}

function replaceByFile(path: string): void {
  writeFileSync(`${path}.file`, '');
  renameSync(`${path}.file`, path);
}

for (const [what, take] of [
  ['is taken away', (path: string) => rmSync(path)],
  ['is moved away', (path: string) => renameSync(path, `${path}.moved`)],
  ['goes to a file', replaceByFile],
  ['goes with its folder', (path: string) => rmSync(join(path, '..'), { recursive: true })],
] as const) {
  test(`NamedSocket whose name ${what} takes it again`, async (t) => {
    const { path, says } = echoing(t);
    const said = says();
    take(path);
    assert.match(await said, /listens again/);
    assert.match(await ask(path), /asked/);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const again = says();
    rmSync(path);
    assert.match(await again, /listens again/);
    assert.match(await ask(path), /asked/);
  });
}

test('NamedSocket answers who called before its name was taken away, and takes the name with it at its end', async (t) => {
  const may = Promise.withResolvers<void>();
  const { path, socket, says, called } = echoing(t, may.promise);
  const answer = ask(path);
  await called;
  const said = says();
  rmSync(path);
  await said;
  const closing = socket.close();
  may.resolve();
  assert.match(await answer, /asked/);
  await closing;
  assert.equal(existsSync(path), false);
});

test('NamedSocket leaves its name to another that serves there, also at its end, and says so', async (t) => {
  const { path, socket, says } = echoing(t);
  const other = createServer().listen(`${path}.other`);
  t.after(() => other.close());
  await once(other, 'listening');
  const said = says();
  renameSync(`${path}.other`, path);
  assert.match(await said, /another/);
  const { ino } = statSync(path);
  await socket.close();
  assert.equal(statSync(path).ino, ino);
});
