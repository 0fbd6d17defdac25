import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hierarchies } from '#lab/cgroup.ts';
import { lockLab } from '#lab/lock.ts';
import { mountsBelow } from '#lab/mounts.ts';
import { isAlive, processId, readPidFile, writePidFile } from '#lab/process.ts';
import { PolderError } from '#spec/errors.ts';

test('hierarchies finds cgroup v2 on hybrid and on pure machines', () => {
  const hybrid =
    'tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n';
  assert.deepEqual(hierarchies(hybrid), {
    unified: '/sys/fs/cgroup/unified',
    all: ['/sys/fs/cgroup/unified', '/sys/fs/cgroup/cpu'],
  });
  assert.deepEqual(hierarchies('cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n').unified, '/sys/fs/cgroup');
  assert.equal(hierarchies('proc /proc proc rw 0 0\n').unified, undefined);
});

test('mountsBelow lists the deepest first and nothing that only begins alike', () => {
  const line = (id: number, point: string) => `${id} 1 0:1 / ${point} rw - tmpfs tmpfs rw`;
  const text = [
    line(1, '/'),
    line(2, '/a/b'),
    line(3, '/a/b/c'),
    line(4, '/a/bc'),
    line(5, '/a/b/with\\040space'),
  ].join('\n');
  assert.deepEqual(mountsBelow(text, ['/a/b']), ['/a/b/with space', '/a/b/c', '/a/b']);
});

test('a process is known by its start time, too', () => {
  const own = processId(process.pid);
  assert.ok(own);
  assert.equal(isAlive(own), true);
  assert.equal(isAlive({ ...own, started: '1' }), false);
});

test('readPidFile finds a live process, and nobody in a stale or broken file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'polder-'));
  try {
    const file = join(dir, 'a/b.pid');
    const own = processId(process.pid);
    assert.ok(own);
    writePidFile(file, own);
    assert.deepEqual(readPidFile(file), own);
    writeFileSync(file, `${process.pid} 1\n`);
    assert.equal(readPidFile(file), undefined);
    writeFileSync(file, 'rubbish');
    assert.equal(readPidFile(file), undefined);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('lockLab lets one in, names the holder to the other, and opens again', async () => {
  const name = `unit-${process.pid}`;
  {
    using _held = await lockLab(name);
    await assert.rejects(lockLab(name), (error) => {
      assert.ok(error instanceof PolderError && error.code === 'lab-name-in-use');
      assert.match(error.message, new RegExp(`process ${process.pid}`));
      return true;
    });
  }
  using _again = await lockLab(name);
});
