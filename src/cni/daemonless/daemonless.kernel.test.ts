import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { lockPathOf, takeNode } from '#cni/daemonless/lock.ts';
import { startCniServer } from '#cni/server/server.ts';
import { alone } from '#cni/testing/alone.ts';
import { moveAway, noBed, ROUTED } from '#cni/testing/bed.ts';
import { tryLockFile } from '#kernel/file-lock.ts';

const skip = noBed();
const CONF = { cniVersion: '1.1.0', name: 'net', type: 'polder' };
const ENV = { CNI_CONTAINERID: 'c1', CNI_NETNS: '/proc/1/ns/net', CNI_IFNAME: 'eth0' };

test('the plugin polder says that it needs the agent: 11 to ADD, 50 to STATUS; VERSION is answered', {
  skip,
}, async (t) => {
  const a = alone(t, ['polder']);
  const add = await a.cni('polder', 'ADD', ENV, CONF);
  assert.deepEqual([add.exit, add.json?.code], [1, 11]);
  assert.match(String(add.json?.msg), /agent is not running.*polder needs it/);
  assert.equal((await a.cni('polder', 'STATUS', {}, CONF)).json?.code, 50);
  const version = await a.cni('polder', 'VERSION', {}, '{"cniVersion":"1.0.0"}');
  assert.deepEqual([version.exit, version.json?.cniVersion], [0, '1.0.0']);
});

test('an executable without a plugin, and without the file of the installation, says so', { skip }, async (t) => {
  const a = alone(t, ['polder', 'nonsense']);
  const answer = await a.cni('nonsense', 'ADD', ENV, CONF);
  assert.deepEqual([answer.exit, answer.json?.code], [1, 4]);
  rmSync(`${a.binDir}/.polder`);
  const without = await a.cni('polder', 'ADD', ENV, CONF);
  assert.deepEqual([without.exit, without.json?.code], [1, 11]);
});

test('a configuration larger than a pipe arrives whole', { skip }, async (t) => {
  const a = alone(t, ['polder']);
  const answer = await a.cni('polder', 'STATUS', {}, { ...CONF, filler: 'x'.repeat(300_000) });
  assert.equal(answer.json?.code, 50, answer.stdout);
  const cut = await a.cni('polder', 'STATUS', {}, `${JSON.stringify({ ...CONF, filler: 'x'.repeat(300_000) })}!`);
  assert.equal(cut.json?.code, 6, cut.stdout);
});

test('while an agent starts, no plugin works by itself; an agent waits for those that do', { skip }, async (t) => {
  moveAway();
  const a = alone(t, ['polder']);
  mkdirSync(dirname(a.socketPath), { recursive: true });
  {
    using _ = await takeNode(a.socketPath);
    const answer = await a.cni('polder', 'STATUS', {}, CONF);
    assert.equal(answer.json?.code, 11);
    assert.match(String(answer.json?.msg), /agent is starting/);
  }
  const plugin = tryLockFile(lockPathOf(a.socketPath), 'shared') ?? assert.fail('the lock was not given back');
  const log = { info() {}, warn() {}, error() {} };
  let started = false;
  const starting = startCniServer({
    socketPath: a.socketPath,
    stateDir: a.dir,
    nodeNetwork: () => ROUTED,
    log,
  }).finally(() => {
    started = true;
  });
  assert.equal((await a.cni('polder', 'STATUS', {}, CONF)).json?.code, 50);
  assert.equal(started, false);
  plugin[Symbol.dispose]();
  await using server = await starting;
  assert.equal((await a.cni('polder', 'STATUS', {}, CONF)).exit, 0);
  await server.close();
  assert.equal((await a.cni('polder', 'STATUS', {}, CONF)).json?.code, 50);
});
