import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { lockPathOf, startPathOf } from '#cni/daemonless/lock.ts';
import { startCniServer } from '#cni/server/server.ts';
import { type Alone, alone, until } from '#cni/testing/alone.ts';
import { answerOf, moveAway, noBed, pathOf, ROUTED, type ShimAnswer } from '#cni/testing/bed.ts';
import { tryLockFile } from '#kernel/file-lock.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noBed();
const timeout = 60_000;
const STATIC = { cniVersion: '1.1.0', name: 'n', type: 'static', ipam: { addresses: [{ address: '10.9.0.5/24' }] } };
const ENV = { CNI_CONTAINERID: 'c1', CNI_NETNS: '/proc/1/ns/net', CNI_IFNAME: 'eth0' };

const add = (a: Alone) => a.cni('static', 'ADD', ENV, STATIC);

function works({ exit, stdout }: ShimAnswer): void {
  assert.equal(exit, 0, stdout);
}

function sockets(a: Alone): string[] {
  return readdirSync(dirname(a.socketPath)).filter((name) => /^cni\.sock\.[0-9a-f]{12}$/.test(name));
}

test('the first call starts a worker that only its own user can reach, the next one is served by it', {
  skip,
}, async (t) => {
  const a = alone(t, ['static']);
  works(await add(a));
  const workers = a.workers();
  assert.equal(workers.length, 1);
  works(await add(a));
  assert.deepEqual(a.workers(), workers);
  const [socket = ''] = sockets(a);
  assert.equal(statSync(join(dirname(a.socketPath), socket)).mode & 0o777, 0o600);
});

test('a worker has nothing of its caller: no descriptor, environment, session or folder', { skip }, async (t) => {
  const a = alone(t, ['static']);
  works(await a.cni('static', 'ADD', { ...ENV, NODE_OPTIONS: '--no-warnings', SECRET: 'x' }, STATIC));
  const [pid = assert.fail()] = a.workers();
  const names = readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .map((pair) => pair.split('=')[0]);
  assert.deepEqual(names.toSorted(), ['', 'NODE_COMPILE_CACHE', 'PATH', 'POLDER_CNI_SOCKET'].toSorted());
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  assert.equal(Number(stat[3]), pid, 'a session of its own');
  const files = spawnSync(
    'readlink',
    ['cwd', 'fd/0', 'fd/1'].map((name) => `/proc/${pid}/${name}`),
    { encoding: 'utf8' },
  );
  assert.equal(files.stdout, '/\n/dev/null\n/dev/null\n');
});

test('a worker ends when nobody calls, and leaves nothing', { skip, timeout }, async (t) => {
  const a = alone(t, ['static'], 100);
  works(await add(a));
  await until(() => a.workers().length === 0);
  assert.deepEqual(readdirSync(dirname(a.socketPath)).toSorted(), ['cni.sock.gate', 'cni.sock.lock', 'cni.sock.start']);
  works(await add(a));
});

test('callers that come at once start one worker, and calls as it ends are answered', { skip, timeout }, async (t) => {
  const a = alone(t, ['static'], 1);
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(Array.from({ length: 12 }, () => add(a)));
    answers.forEach(works);
  }
  await until(() => a.workers().length === 0);
  const b = alone(t, ['static']);
  const answers = await Promise.all(Array.from({ length: 12 }, () => add(b)));
  answers.forEach(works);
  assert.equal(b.workers().length, 1);
});

test('of a worker that was killed only the name is left, which the next one takes', { skip }, async (t) => {
  const a = alone(t, ['static']);
  works(await add(a));
  const [pid = assert.fail()] = a.workers();
  process.kill(pid, 'SIGKILL');
  assert.equal(sockets(a).length, 1);
  // While the kernel is still closing the dead one's socket a call is a process of its own.
  do works(await add(a));
  while (a.workers().every((worker) => worker === pid));
  assert.deepEqual([a.workers().length, sockets(a).length], [1, 1]);
});

test('another user who locks the folder holds no call up, and cannot lock what starters lock', {
  skip,
  timeout,
}, async (t) => {
  const a = alone(t, ['static'], 1);
  const folder = dirname(a.socketPath);
  mkdirSync(folder, { mode: 0o755 });
  for (const dir of [a.dir, folder]) chmodSync(dir, 0o755);
  const other = spawn('flock', [folder, 'sh', '-c', 'echo held; cat'], { uid: 65534, gid: 65534, cwd: '/' });
  t.after(() => other.stdin.end());
  await once(other.stdout, 'data');
  works(await add(a));
  await until(() => a.workers().length === 0);
  assert.equal(other.exitCode, null, 'the lock is held still');
  assert.equal(statSync(startPathOf(a.socketPath)).mode & 0o777, 0o600);
});

test('a worker whose name is taken away ends', { skip, timeout }, async (t) => {
  const a = alone(t, ['static']);
  works(await add(a));
  spawnSync(
    'rm',
    sockets(a).map((name) => join(dirname(a.socketPath), name)),
  );
  await until(() => a.workers().length === 0);
});

test('executables of another version have a worker of their own', { skip }, async (t) => {
  const a = alone(t, ['static']);
  works(await add(a));
  const file = join(a.binDir, '.polder');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/POLDER_WORKER=.*/, 'POLDER_WORKER=0123456789ab'));
  works(await add(a));
  assert.equal(a.workers().length, 2);
});

test('where others could put a socket, or a worker cannot start, a call is a process of its own', {
  skip,
}, async (t) => {
  const a = alone(t, ['static']);
  mkdirSync(dirname(a.socketPath));
  chmodSync(dirname(a.socketPath), 0o777);
  works(await add(a));
  assert.deepEqual([a.workers(), sockets(a)], [[], []]);

  const b = alone(t, ['static']);
  const node = join(b.dir, 'node');
  writeFileSync(node, `#!/bin/sh\n[ "$2" = --worker ] && exit 1\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
  const file = join(b.binDir, '.polder');
  writeFileSync(file, readFileSync(file, 'utf8').replace(`\n${process.execPath}\n`, `\n${node}\n`));
  works(await add(b));
  assert.deepEqual(b.workers(), []);
});

test('a call from another mount namespace is a process of its own there', { skip }, async (t) => {
  const a = alone(t, ['static']);
  works(await add(a));
  const dns = { type: 'host-local', dataDir: '/mnt/data', ranges: [[{ subnet: '10.90.0.0/24' }]] };
  const conf = { cniVersion: '1.1.0', name: 'n', type: 'host-local', ipam: dns };
  spawnSync('ln', ['-s', 'static', join(a.binDir, 'host-local')]);
  const env = { POLDER_CNI_SOCKET: a.socketPath, CNI_COMMAND: 'ADD', PATH: process.env.PATH ?? '', ...ENV };
  const script = 'mount -t tmpfs none /mnt && "$0" && ls /mnt/data/n >&2';
  const words = ['--mount', 'sh', '-c', script, join(a.binDir, 'host-local')];
  const child = spawn('unshare', words, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let listed = '';
  child.stderr.on('data', (chunk: Buffer) => {
    listed += chunk.toString();
  });
  works(await answerOf(child, conf));
  assert.match(listed, /^10\.90\.0\.\d+$/m);
  assert.equal(existsSync('/mnt/data'), false);
  assert.equal(a.workers().length, 1);
});

const BRIDGE = { cniVersion: '1.1.0', name: 'alone', type: 'bridge', bridge: 'br-alone', isGateway: true };

function bridgeConf(a: Alone): object {
  return { ...BRIDGE, ipam: { type: 'host-local', subnet: '10.90.0.0/24', dataDir: `${a.dir}/networks` } };
}

function pods(t: TestContext, count: number): Netns[] {
  const all = Array.from({ length: count }, scratchNetns);
  t.after(() => all.forEach((pod) => void pod.close()));
  return all;
}

function linksOf(ns?: Netns): string[] {
  using netlink = openNetlink(ns?.fd);
  return netlink
    .links()
    .map(({ name }) => name)
    .filter((name) => name !== 'lo');
}

test('a call acts in its caller’s network namespace, not in the worker’s', { skip }, async (t) => {
  moveAway();
  const a = alone(t, ['static', 'bridge']);
  works(await add(a));
  const [host, pod] = pods(t, 2);
  assert.ok(host && pod);
  const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
  const call = (command: string) =>
    inNetns(host, () => ({ answer: a.cni('bridge', command, env, bridgeConf(a)) })).answer;
  works(await call('ADD'));
  assert.deepEqual([linksOf(host).includes('br-alone'), linksOf()], [true, []]);
  works(await call('DEL'));
  assert.deepEqual(linksOf(host), ['br-alone']);
  assert.equal(a.workers().length, 1);
});

test('a worker holds the node only during a call: an agent can start beside it, and has the node to itself', {
  skip,
}, async (t) => {
  moveAway();
  const a = alone(t, ['static']);
  works(await add(a));
  const log = { info() {}, warn() {}, error() {} };
  const server = await startCniServer({ socketPath: a.socketPath, stateDir: a.dir, nodeNetwork: () => ROUTED, log });
  works(await add(a));
  assert.equal(tryLockFile(lockPathOf(a.socketPath), 'shared'), undefined, 'the agent holds the node');
  await server.close();
  // The worker is there still, and takes the node again.
  works(await add(a));
  assert.equal(a.workers().length, 1);
});

test('a worker killed while it attaches pods: each was answered or refused, and DEL leaves nothing', {
  skip,
  timeout,
}, async (t) => {
  moveAway();
  const a = alone(t, ['bridge']);
  const all = pods(t, 5);
  t.after(() => spawnSync('ip', ['link', 'del', 'br-alone']));
  for (let round = 0; round < 6; round++) {
    const env = (pod: Netns, i: number) => ({
      CNI_CONTAINERID: `r${round}-${i}`,
      CNI_NETNS: pathOf(pod),
      CNI_IFNAME: 'eth0',
    });
    const adds = all.map((pod, i) => a.cni('bridge', 'ADD', env(pod, i), bridgeConf(a)));
    // Each round at another instant of the work; the first while it starts.
    if (round > 0) await Promise.race(adds);
    for (let turn = 0; turn < round * 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    await until(() => a.workers().length > 0);
    for (const pid of a.workers()) process.kill(pid, 'SIGKILL');
    for (const { exit, stdout, json } of await Promise.all(adds)) assert.ok(exit === 0 || json?.code === 11, stdout);
    // The runtime ends what it has no answer for.
    const dels = await Promise.all(all.map((pod, i) => a.cni('bridge', 'DEL', env(pod, i), bridgeConf(a))));
    dels.forEach(works);
    assert.deepEqual([linksOf(), ...all.map(linksOf)], [['br-alone'], ...all.map(() => [])]);
    const taken = readdirSync(`${a.dir}/networks/alone`).filter((name) => name.startsWith('10.'));
    assert.deepEqual(taken, []);
  }
});
