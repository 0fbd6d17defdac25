/** What is left when the suite itself is killed: no process, and no folder once it runs again. */

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { noKernel } from '#kernel/testing/scratch-netns.ts';
import { polder, result, startPolder } from '#test/support/polder.ts';

/** It answers VERSION, and hangs at whatever else is asked of it. */
const HANGS = `#!/bin/sh
[ "$CNI_COMMAND" = VERSION ] && { printf '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'; exit 0; }
exec sleep 600
`;
const DESCRIPTOR = [{ type: 'hangs', kind: 'main', conf: {}, programs: [{ in: 'outside', run: ['sleep', '601'] }] }];

interface Place {
  readonly tmp: string;
  readonly args: readonly string[];
}

function place(t: TestContext): Place {
  const dir = mkdtempSync(join(tmpdir(), 'pt-conformance-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of ['bin', 'tmp']) mkdirSync(join(dir, name));
  writeFileSync(join(dir, 'bin', 'hangs'), HANGS);
  chmodSync(join(dir, 'bin', 'hangs'), 0o755);
  writeFileSync(join(dir, 'mine.json'), JSON.stringify(DESCRIPTOR));
  const args = ['conformance', 'cni', '--bin', join(dir, 'bin'), '--descriptors', join(dir, 'mine.json'), '--type'];
  return { tmp: join(dir, 'tmp'), args: [...args, 'hangs', '--grep', '/add.result$'] };
}

/** Command lines of the living children of a process, by number. */
function childrenOf(parent: number | undefined): Map<number, string> {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return new Map(all.flatMap((pid) => (stateOf(pid)?.parent === parent ? [[Number(pid), commandOf(pid)]] : [])));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** Undefined if it has ended, whether or not anybody has asked how. */
function stateOf(pid: number | string): { readonly parent: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : { parent: Number(parent) };
  } catch {
    return undefined;
  }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!holds()) {
    assert.ok(performance.now() < end, what);
    await pause(20);
  }
}

test('SIGKILL of the suite ends what it has started; the next run removes its folder', {
  skip: noKernel,
}, async (t) => {
  const { tmp, args } = place(t);
  const suite = startPolder(args, { env: { TMPDIR: tmp } });
  t.after(() => suite.kill('SIGKILL'));
  const both = () =>
    [...childrenOf(suite.pid).values()].filter((line) => /(^|\/)sleep 60[01]$/.test(line)).length === 2;
  await until(both, 'the plugin and the program to run');
  const children = [...childrenOf(suite.pid).keys()];
  suite.kill('SIGKILL');
  await until(() => children.every((pid) => stateOf(pid) === undefined), 'the children to end');
  assert.equal(readdirSync(tmp).length, 1, 'the folder stays');
  await polder([...args, '--grep', 'no such case'], { env: { TMPDIR: tmp } });
  assert.deepEqual(readdirSync(tmp), []);
});

test('a run leaves the folder of another that lives', { skip: noKernel }, async (t) => {
  const { tmp, args } = place(t);
  const suite = startPolder(args, { env: { TMPDIR: tmp } });
  t.after(() => suite.kill('SIGKILL'));
  await until(() => readdirSync(tmp).length === 1, 'its folder');
  const before = readdirSync(tmp);
  await polder([...args, '--grep', 'no such case'], { env: { TMPDIR: tmp } });
  assert.deepEqual(readdirSync(tmp), before);
});

test('Ctrl-C ends a call that hangs at once, tells what was tried, and exits with 130', {
  skip: noKernel,
}, async (t) => {
  const { tmp, args } = place(t);
  const out = join(tmp, 'out.json');
  const grep = ['--grep', '/(version.answer|add.result|add.twice)$', '--jobs', '1', '--json', '--out', out];
  const suite = startPolder([...args, ...grep], { env: { TMPDIR: tmp } });
  const ended = result(suite);
  t.after(() => suite.kill('SIGKILL'));
  await until(() => [...childrenOf(suite.pid).values()].includes('sleep 600'), 'the plugin to hang');
  suite.kill('SIGINT');
  const { status, stdout, stderr } = await ended;
  assert.deepEqual([status, stdout], [130, '']);
  assert.match(stderr, /^stopped: what was tried until now is told/);
  const { cutOff, passed, skipped, cases } = JSON.parse(readFileSync(out, 'utf8'));
  assert.deepEqual([cutOff, passed, skipped], [true, 1, 2]);
  assert.equal(cases[1].reason, 'not tried: the run was cut off');
  assert.deepEqual(readdirSync(tmp), ['out.json']);
});

test('a call that takes longer than --timeout is killed and fails', { skip: noKernel }, async (t) => {
  const { args } = place(t);
  const { status, stdout } = await polder([...args, '--timeout', '1']);
  assert.equal(status, 1);
  assert.match(stdout, /seen: +ADD of hangs: did not end in time/);
});
