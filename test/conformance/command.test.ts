/** `polder conformance cni` as a person and a machine call it: each form of output, the exit status, what is wrong with the call. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { noKernel } from '#kernel/testing/scratch-netns.ts';
import { REFERENCE } from '#test/conformance/sets.ts';
import { polder } from '#test/support/polder.ts';

const skip = noKernel || (!existsSync(REFERENCE) && 'containernetworking-plugins is not installed');
const SOME = ['conformance', 'cni', '--bin', REFERENCE, '--type', 'loopback'];
/** One that the reference passes, and one that it fails. */
const TWO = [...SOME, '--grep', '/(version.answer|error.cniVersion)$'];

test('--json gives counts and cases, and the status says that one failed', { skip }, async () => {
  const { status, stdout, stderr } = await polder([...TWO, '--json']);
  assert.equal(status, 1, stderr);
  const { passed, failed, skipped, cases } = JSON.parse(stdout);
  assert.deepEqual([passed, failed, skipped, cases.length], [1, 1, 0, 2], stdout);
  const by = (wanted: string) => cases.find((one: { status: string }) => one.status === wanted);
  assert.deepEqual(Object.keys(by('passed')), ['id', 'plugin', 'version', 'about', 'level', 'section', 'status', 'ms']);
  assert.ok(by('failed').expected && by('failed').seen);
  const { calls, level } = by('failed');
  assert.equal(level, 'must');
  assert.deepEqual(
    calls.map((call: { program: string; env: { CNI_COMMAND: string }; exit: number }) => [
      call.program,
      call.env.CNI_COMMAND,
      call.exit,
    ]),
    [[join(REFERENCE, 'loopback'), 'ADD', 1]],
  );
  assert.equal(JSON.parse(calls[0].stdin).type, 'loopback');
});

test('the forms for people, TAP and JUnit tell of the same cases; --out writes a file', { skip }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'pt-conformance-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const table = await polder(TWO);
  assert.match(table.stdout, /loopback +1 +1 +0/);
  assert.match(
    table.stdout,
    /FAILED loopback\/error\.cniVersion \(CNI 1\.0\.0, must: Section 5, Error\)\n.*\n +expected: .*\n +seen: /,
  );
  assert.match(table.stdout, /1 passed, 1 failed \(1 must, 0 should, 0 beyond\), 0 skipped\n$/);
  const tap = await polder([...TWO, '--format', 'tap']);
  assert.match(tap.stdout, /^TAP version 13\n1\.\.2\n/);
  assert.equal(tap.stdout.match(/^(not )?ok \d/gm)?.length, 2);
  const out = join(dir, 'result.xml');
  const junit = await polder([...TWO, '--format', 'junit', '--out', out]);
  assert.deepEqual([junit.status, junit.stdout], [1, '']);
  assert.match(readFileSync(out, 'utf8'), /<testsuites name="cni" tests="2" failures="1" skipped="0">/);
});

test('--level must leaves out what the specification does not demand', { skip }, async () => {
  const grep = ['--grep', '/(version.answer|input.trailing|input.huge)$', '--json'];
  const names = async (...level: readonly string[]) =>
    JSON.parse((await polder([...SOME, ...grep, ...level])).stdout).cases.map((one: { id: string }) => one.id);
  assert.deepEqual(await names('--level', 'must'), ['loopback/version.answer']);
  assert.deepEqual(await names('--level', 'should'), ['loopback/version.answer', 'loopback/input.trailing']);
  assert.equal((await names()).length, 3);
});

test('status 0 if all passed; 1 if nothing was tried', { skip }, async () => {
  assert.equal((await polder([...SOME, '--grep', '/version.answer$'])).status, 0);
  const none = await polder([...SOME, '--grep', 'no such case']);
  assert.deepEqual([none.status, /0 passed, 0 failed, 0 skipped/.test(none.stdout)], [1, true]);
});

test('status 1 if a plugin that was asked for is not there; one that is asked for twice is tried once', {
  skip,
}, async () => {
  const grep = ['--grep', '/version.answer$', '--json'];
  const asked = await polder([...SOME.slice(0, -1), 'loopback,loopback,dummy', ...grep]);
  const cases = JSON.parse(asked.stdout).cases.map((one: { id: string; status: string }) => [one.id, one.status]);
  assert.deepEqual(cases, [
    ['loopback/version.answer', 'passed'],
    ['dummy', 'skipped'],
  ]);
  assert.equal(asked.status, 1);
});

test('what is wrong with the call is said in one sentence', { skip }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'pt-conformance-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'mine.json');
  const empty = join(dir, 'empty');
  mkdirSync(empty);
  writeFileSync(file, '[{"type": "x"}]');
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['--bin', '/no/such/folder'], /\/no\/such\/folder is not a folder/],
    [['--bin', REFERENCE, '--grep', '('], /--grep: /],
    [['--bin', REFERENCE, '--out', '/no/such/folder/x'], /--out: ENOENT/],
    [['--bin', REFERENCE, '--type', ''], /--type.* It must name something/],
    [['--bin', REFERENCE, '--type', 'loopback,brigde'], /the suite knows no type "brigde", and the folder has none/],
    [['--bin', empty, '--type', 'brigde'], /the suite knows no type "brigde"/],
    [['--bin', empty], /there is no executable in /],
    [['--bin', REFERENCE, '--json', '--format', 'tap'], /'--json' cannot be used with option '--format <format>'/],
    [['--bin', REFERENCE, '--out', dir], /--out: EISDIR/],
    [['--bin', REFERENCE, '--jobs', '0'], /--jobs.* It must be from 1 to 1000/],
    [['--bin', REFERENCE, '--kills', '0'], /--kills.* It must be from 1 to 1000/],
    [['--bin', REFERENCE, '--timeout', '0'], /--timeout.* It must be from 1 to 86400/],
    [['--bin', REFERENCE, '--format', 'xml'], /Allowed choices are table, tap, junit/],
    [['--bin', REFERENCE, '--descriptors', file], /mine\.json: \[0\]\.kind is missing/],
    [[], /--bin/],
  ];
  for (const [args, says] of cases) {
    const { status, stdout, stderr } = await polder(['conformance', 'cni', ...args]);
    assert.notEqual(status, 0);
    assert.equal(stdout, '');
    assert.match(stderr, says);
  }
});
