import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { ExecRequest, Session } from '#lab/kubelet/stream/backend.ts';
import { type ExecPlace, execSession } from '#lab/kubelet/stream/exec-session.ts';

const tend = join(import.meta.dirname, '../../../../native/bin/tend');
const skip = missing();
const id = `pt-stream-${process.pid}`;
let place: ExecPlace;

/** What this test lacks on this machine; false: nothing. */
function missing(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const program of ['/usr/sbin/runc', '/bin/busybox', tend]) if (!existsSync(program)) return `needs ${program}`;
  return false;
}

before(() => {
  if (skip) return;
  const directory = mkdtempSync(join(tmpdir(), 'pt-stream-'));
  const root = join(directory, 'oci');
  place = {
    runtime: { name: 'runc', program: '/usr/sbin/runc', version: '1', root },
    containerId: id,
    tend,
    directory: join(directory, 'exec'),
  };
  mkdirSync(place.directory);
  makeBundle(join(directory, 'bundle'));
  execFileSync(place.runtime.program, ['--root', root, 'run', '--detach', id], {
    cwd: join(directory, 'bundle'),
    stdio: 'ignore',
  });
});

after(() => {
  if (skip) return;
  execFileSync(place.runtime.program, ['--root', place.runtime.root, 'delete', '--force', id]);
  rmSync(join(place.directory, '..'), { recursive: true });
});

/** A container of busybox that sleeps, in namespaces of its own. */
function makeBundle(bundle: string): void {
  const rootfs = join(bundle, 'rootfs');
  for (const folder of ['bin', 'proc', 'dev', 'tmp']) mkdirSync(join(rootfs, folder), { recursive: true });
  cpSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const name of ['sh', 'cat', 'sleep', 'stty', 'echo', 'tty', 'head']) {
    symlinkSync('busybox', join(rootfs, 'bin', name));
  }
  const spec = {
    ociVersion: '1.0.2',
    process: { user: { uid: 0, gid: 0 }, args: ['sleep', '600'], env: ['PATH=/bin'], cwd: '/' },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
    ],
    linux: {
      cgroupsPath: `/${id}`,
      namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })),
    },
  };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
}

function exec(command: readonly string[], options: Partial<ExecRequest> = {}): Session {
  const pod = { namespace: 'default', name: 'web' };
  const all = { stdin: true, stdout: true, stderr: true, tty: false };
  return execSession(place, { pod, container: 'main', command, ...all, ...options });
}

/** Reads until `wanted` has come. */
async function until(stream: Readable | undefined, wanted: RegExp): Promise<string> {
  let seen = '';
  while (stream !== undefined && !wanted.test(seen)) {
    const chunk: unknown = stream.read();
    if (chunk === null) await once(stream, 'readable');
    else seen += String(chunk);
  }
  return seen;
}

test('execSession passes the three streams apart, stdin to its end, and the exit status', {
  skip,
  timeout: 20_000,
}, async () => {
  const session = exec(['sh', '-c', 'cat; echo bad >&2; exit 3']);
  session.stdin?.end('good\n');
  assert.ok(session.stdout && session.stderr);
  assert.deepEqual(await Promise.all([text(session.stdout), text(session.stderr), session.exit]), [
    'good\n',
    'bad\n',
    { code: 3 },
  ]);
});

test('execSession gives 127 for a command that is not there, and says why on stderr', {
  skip,
  timeout: 20_000,
}, async () => {
  const session = exec(['no-such-command']);
  assert.ok(session.stderr);
  assert.match(await text(session.stderr), /no-such-command.*not found/);
  assert.deepEqual(await session.exit, { code: 127 });
});

test('execSession on a terminal: it is one, has the size that was set, and echoes once', {
  skip,
  timeout: 20_000,
}, async () => {
  const session = exec(['sh'], { tty: true });
  session.resize(91, 37);
  await until(session.stdout, /# /);
  session.stdin?.write('stty size; echo $TERM; tty; exit 5\n');
  const seen = await until(session.stdout, /dev\/pts\/\d+/);
  assert.match(seen, /37 91\r\nxterm\r\n\/dev\/pts\/\d+/);
  assert.equal(seen.match(/stty size/g)?.length, 1, seen);
  session.stdout?.resume();
  assert.deepEqual(await session.exit, { code: 5 });
});

test('execSession on a terminal keeps what is typed too early, and only the terminal inside echoes it', {
  skip,
}, async () => {
  const session = exec(['sh', '-c', 'sleep 0.1; read line; echo "<$line>"'], { tty: true });
  session.stdin?.write('early\n');
  assert.equal(await until(session.stdout, />\r\n/), 'early\r\n<early>\r\n');
  session.stdout?.resume();
  await session.exit;
});

test('execSession on a terminal follows a later size', { skip, timeout: 20_000 }, async () => {
  const session = exec(['sh', '-c', 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.05; done'], {
    tty: true,
  });
  await until(session.stdout, /ready/);
  session.resize(120, 41);
  assert.match(await until(session.stdout, /41 120/), /41 120/);
  session.stdout?.resume();
  await session.exit;
});

for (const tty of [false, true]) {
  test(`Session.kill ends the command ${tty ? 'on a terminal' : 'with pipes'} and what it started`, {
    skip,
  }, async () => {
    const session = exec(['sh', '-c', 'sleep 4321 & echo ready; wait'], { tty });
    await until(session.stdout, /ready/);
    session.kill();
    session.stdout?.resume();
    assert.ok('code' in (await session.exit));
    assert.ok(!processes().includes('sleep\x004321\x00'));
    session.kill();
  });
}

test('Session.kill right at the start leaves no command behind', { skip, timeout: 20_000 }, async () => {
  const session = exec(['sleep', '4322']);
  session.kill();
  await session.exit;
  assert.ok(!processes().includes('sleep\x004322\x00'));
});

test('execSession leaves no file behind', { skip, timeout: 20_000 }, async () => {
  await exec(['echo']).exit;
  assert.deepEqual(readdirSync(place.directory), []);
});

/** Command lines of all processes. */
function processes(): string[] {
  return execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null; true'], { encoding: 'latin1' }).split('\n');
}
