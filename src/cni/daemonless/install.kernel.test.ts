import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { installAlone } from '#cni/daemonless/install.ts';
import { type Alone, alone } from '#cni/testing/alone.ts';
import { noBed, type ShimAnswer } from '#cni/testing/bed.ts';

const skip = noBed();
const STATIC = { cniVersion: '1.0.0', name: 'n', type: 'static', ipam: { addresses: [{ address: '10.9.0.5/24' }] } };
const ENV = { CNI_CONTAINERID: 'c1', CNI_NETNS: '/proc/1/ns/net', CNI_IFNAME: 'eth0' };

/** A worker is started for the calls, or each is a process of its own. */
const WAYS = { 'by a worker': undefined, 'by a process each': 0 } as const;

/** Executables whose program is in a folder of their own, so that it can be damaged. */
function installation(t: TestContext, workerIdleMs?: number) {
  const a = alone(t, ['static'], workerIdleMs);
  const stateDir = join(a.dir, 'state');
  const install = () =>
    installAlone(a.binDir, { node: process.execPath, stateDir, ...(workerIdleMs !== undefined && { workerIdleMs }) });
  install();
  const [program = assert.fail('there is no bundle')] = readdirSync(stateDir).filter((name) => name.endsWith('.cjs'));
  return { a, install, program: join(stateDir, program) };
}

function call(a: Alone, command: string): Promise<ShimAnswer> {
  return a.cni('static', command, ENV, STATIC);
}

async function refuses(a: Alone, words: RegExp): Promise<void> {
  const add = await call(a, 'ADD');
  assert.deepEqual([add.exit, add.json?.code, add.json?.cniVersion], [1, 5, '1.0.0'], add.stdout);
  assert.match(String(add.json?.msg), words);
  assert.match(String(add.json?.details), /polder cni install/);
  const status = await call(a, 'STATUS');
  assert.deepEqual([status.exit, status.json?.code], [1, 50], status.stdout);
  assert.equal((await call(a, 'VERSION')).exit, 0);
}

for (const [way, idleMs] of Object.entries(WAYS)) {
  test(`a damaged program is said, and mended by installing again, ${way}`, { skip }, async (t) => {
    const { a, install, program } = installation(t, idleMs);
    const whole = readFileSync(program, 'utf8');
    const damages = {
      empty: () => truncateSync(program, 0),
      'without its last lines': () => writeFileSync(program, whole.split('\n').slice(0, -4).join('\n')),
      gone: () => rmSync(program),
    };
    for (const damage of Object.values(damages)) {
      damage();
      await refuses(a, /cni-plugin-[0-9a-f]+\.cjs/);
      install();
      assert.equal((await call(a, 'ADD')).exit, 0);
      for (const pid of a.workers()) process.kill(pid, 'SIGKILL');
      assert.equal(readFileSync(program, 'utf8'), whole);
    }
  });
}

test('a program of the right size with other bytes is written anew', { skip }, (t) => {
  const { install, program } = installation(t);
  const whole = readFileSync(program, 'utf8');
  writeFileSync(program, whole.replace('polderOnce', 'polderTwic'));
  install();
  assert.equal(readFileSync(program, 'utf8'), whole);
});

test('a program that is whole is used again', { skip }, (t) => {
  const { install, program } = installation(t);
  const { ino } = statSync(program);
  install();
  assert.equal(statSync(program).ino, ino);
});

test('an executable whose Node is gone names it', { skip }, async (t) => {
  const { a } = installation(t);
  const file = join(a.binDir, '.polder');
  writeFileSync(file, readFileSync(file, 'utf8').replace(`\n${process.execPath}\n`, '\n/nonexistent/node\n'));
  await refuses(a, /\/nonexistent\/node: No such file/);
});

test('whatever the umask is, nobody else can write what root runs', { skip }, (t) => {
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const { a, program } = installation(t);
  const modes = [program, dirname(program), join(a.binDir, '.polder')].map((path) => statSync(path).mode & 0o777);
  assert.deepEqual(modes, [0o644, 0o755, 0o644]);
});

test('what Node compiles during a call is not for others to write, whatever the caller’s umask is', {
  skip,
}, async (t) => {
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const { a, program } = installation(t, 0);
  assert.equal((await call(a, 'ADD')).exit, 0);
  const state = dirname(program);
  const kept = readdirSync(state, { recursive: true, encoding: 'utf8' }).filter((name) => name.startsWith('cache/'));
  assert.notEqual(kept.length, 0);
  const loose = kept.filter((name) => (statSync(join(state, name)).mode & 0o022) !== 0);
  assert.deepEqual(loose, []);
});

test('what cannot be installed leaves nothing of its writing', { skip }, (t) => {
  const { a, install } = installation(t);
  const file = join(a.binDir, '.polder');
  rmSync(file);
  mkdirSync(join(file, 'sub'), { recursive: true });
  assert.throws(install);
  assert.deepEqual(readdirSync(a.binDir).toSorted(), ['.polder', 'static']);
});
