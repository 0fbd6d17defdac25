/** How programs that a case starts come to their end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { within } from '#cni/conformance/bounds.ts';
import { must, run, tied } from '#cni/conformance/exec.ts';
import { throwAwayNetns } from '#cni/conformance/ground.ts';
import { NotHere } from '#cni/conformance/outcome.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';

const skip = noKernel;

/** Says the number of a child that holds its output, and waits for it. */
const WITH_CHILD = ['-c', 'sleep 600 & echo $!; wait'];

/** A process that nobody has asked how it ended is gone, too. */
async function gone(pid: string): Promise<boolean> {
  const args = ['-c', `! grep -q '^State:.[RSD]' /proc/${pid}/status 2>/dev/null`];
  using netns = throwAwayNetns();
  for (let i = 0; i < 100; i++) {
    if ((await run(netns, 'sh', args)).exit === 0) return true;
    await pause(20);
  }
  return false;
}

test('run kills a program that takes too long with what it has started', { skip }, async () => {
  using netns = throwAwayNetns();
  const ran = await run(netns, 'sh', WITH_CHILD, { timeoutMs: 300 });
  assert.deepEqual([ran.late, ran.exit], [true, null]);
  assert.ok(await gone(ran.stdout.trim()));
});

test('run ends at once when it is stopped, and starts nothing after that', { skip }, async () => {
  using netns = throwAwayNetns();
  const stop = new AbortController();
  const started = performance.now();
  const stopped = within({ signal: stop.signal, timeoutMs: 60_000 }, async () => {
    await assert.rejects(run(netns, 'sh', WITH_CHILD), { name: 'AbortError' });
    await assert.rejects(run(netns, 'true', []), { name: 'AbortError' });
  });
  stop.abort();
  await stopped;
  assert.ok(performance.now() - started < 30_000);
});

test('run tells of a program by path that is not there as a shell does, and of one by name as of a tool', {
  skip,
}, async () => {
  using netns = throwAwayNetns();
  const ran = await run(netns, '/no/such/program', []);
  assert.equal(ran.exit, 127);
  assert.match(ran.stderr, /No such file|ENOENT/);
  await assert.rejects(must(netns, ['no-such-tool']), NotHere);
});

test('tied keeps the program’s arguments last, whatever they look like', { skip }, () => {
  const [, args] = tied('/bin/echo', ['--', '-x']);
  assert.deepEqual(args.slice(-2), ['--', '-x']);
});

test('bounds tell of each program that has ended, with what it was given', { skip }, async () => {
  using netns = throwAwayNetns();
  const calls: unknown[] = [];
  const onRan = ({ program, stdin, exit }: { program: string; stdin: string; exit: number | null }) =>
    void calls.push([program, stdin, exit]);
  await within({ timeoutMs: 10_000, onRan }, () => run(netns, 'cat', [], { stdin: 'words' }));
  assert.deepEqual(calls, [['cat', 'words', 0]]);
});
