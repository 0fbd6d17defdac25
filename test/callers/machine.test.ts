/** The machine that tests of callers are given. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, machineNetwork } from '../support/lab.ts';
import { makeMachine } from './support/machine.ts';
import { without } from './support/programs.ts';

const DOOMED = fileURLToPath(new URL('support/doomed.ts', import.meta.url));

test('a test run that is killed with a pod running leaves nothing', {
  skip: without('containerd', 'ctr', 'runc'),
}, async () => {
  const before = machineNetwork();
  const run = spawn(process.execPath, [DOOMED], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await Promise.race([once(run.stdout, 'data'), once(run, 'exit')]);
  const dir = String(said).trim();
  const cgroups = () => globSync(`/sys/fs/cgroup/{*/,}${basename(dir)}`);
  const mentions = () => globSync('/proc/[0-9]*/cmdline').filter((file) => textOf(file).includes(dir));
  assert.ok(existsSync(dir), 'the run did not get as far as a pod');
  assert.notEqual(cgroups().length, 0);
  assert.notEqual(mentions().length, 0);
  run.kill('SIGKILL');
  await eventually('its folder is gone', async () => (existsSync(dir) ? undefined : true), 5000);
  assert.deepEqual([...cgroups(), ...mentions()], []);
  assert.equal(machineNetwork(), before);
});

test('a machine has its own network, processes and runtime state', { skip: without('runc') }, async () => {
  await using machine = await makeMachine();
  assert.equal(await machine.must('ip', '-br', 'link', 'show', 'up'), await machine.must('ip', '-br', 'link'));
  assert.equal(await machine.must('ls', '/var/lib/containerd', '/run/netns'), '/run/netns:\n\n/var/lib/containerd:\n');
  await machine.must('touch', '/var/lib/made-inside', '/dev/shm/made-inside');
  assert.ok(!existsSync('/var/lib/made-inside') && !existsSync('/dev/shm/made-inside'));
  assert.ok((await machine.must('ps', '-e')).split('\n').length < 8);
});

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
