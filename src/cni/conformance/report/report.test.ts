/** The forms of a report: that they tell the same, and that whoever reads them can, whatever a plugin has printed. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { asJunit } from '#cni/conformance/report/junit.ts';
import { printable } from '#cni/conformance/report/printable.ts';
import { asTap } from '#cni/conformance/report/tap.ts';
import { asTable } from '#cni/conformance/report/text.ts';
import type { SuiteResult } from '#cni/conformance/run.ts';

const BASE = {
  plugin: 'x',
  version: '1.0.0',
  about: 'a <b> & "c"',
  level: 'must',
  section: 'Section 2, ADD',
  ms: 5,
} as const;
const CALL = { program: '/bin/x', env: { CNI_COMMAND: 'ADD' }, stdin: '{"name":"n"}', exit: 1 };
/** Clears a screen, turns text round, and has what XML has not. */
const BAD = '<none>\n\x01\x1b[2J\x9b1m\u202e\ufffe\uffff\ud800\r';

const RESULT: SuiteResult = {
  passed: 1,
  failed: 1,
  skipped: 1,
  cases: [
    { ...BASE, id: 'x/one', status: 'passed' },
    { ...BASE, id: 'x/two', status: 'failed', expected: 'a & b', seen: BAD, calls: [CALL] },
    { ...BASE, id: 'x/three', status: 'skipped', reason: 'no feature' },
  ],
};

test('asTap tells each case with its level, and a failure with what was expected, seen and called', () => {
  const lines = asTap(RESULT).split('\n');
  assert.deepEqual(lines.slice(0, 5), [
    'TAP version 13',
    '1..3',
    'ok 1 - x/one',
    '# must: Section 2, ADD',
    'not ok 2 - x/two',
  ]);
  for (const key of ['about', 'level', 'section', 'expected', 'seen', 'call_1'])
    assert.ok(lines.some((line) => line.startsWith(`  ${key}: "`)));
  assert.ok(lines.includes('ok 3 - x/three # SKIP no feature'));
});

const noProve = spawnSync('prove', ['--version']).status !== 0 && 'there is no prove';

test('asTap is read by prove: one failure, one skipped, no error of form', { skip: noProve }, (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'pt-conformance-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'result.tap');
  writeFileSync(file, asTap(RESULT));
  const { stdout } = spawnSync('prove', ['-e', 'cat', file], { encoding: 'utf8' });
  assert.match(stdout, /Failed test: +2/);
  assert.match(stdout, /Tests=3/);
  assert.doesNotMatch(stdout, /Parse errors|unknown/i);
});

test('asJunit has counts, level and calls, and only characters that XML 1.0 has', () => {
  const text = asJunit(RESULT);
  assert.match(text, /<testsuites name="cni" tests="3" failures="1" skipped="1">/);
  assert.match(text, /name="x\/one".*<property name="level" value="must"\/>/);
  assert.match(text, /<failure message="expected a &amp; b">a &lt;b&gt;.*&lt;none&gt;&#10;\ufffd/);
  assert.match(text, /<system-out>\{&quot;program&quot;:.*<\/system-out>/);
  assert.doesNotMatch(text, /(?!\n)[\p{Cc}\p{Cs}\ufffe\uffff]/u);
});

test('asTable shows what a plugin printed without doing what that says', () => {
  const text = asTable(RESULT);
  assert.match(text, /x +1 +1 +1 +1\/0\/0 +no feature\n/);
  assert.match(
    text,
    /FAILED x\/two \(CNI 1\.0\.0, must: Section 2, ADD\)\n.*\n {2}expected: a & b\n {2}seen: {5}<none>/,
  );
  assert.match(text, /1 passed, 1 failed \(1 must, 0 should, 0 beyond\), 1 skipped\n$/);
  assert.doesNotMatch(text, /(?!\n)[\p{Cc}\p{Cf}\p{Cs}]/u);
});

test('a run that was cut off says so in each form', () => {
  const result = { ...RESULT, cutOff: true } as const;
  assert.match(asTable(result), /\nCUT OFF: .*\n$/);
  assert.match(asTap(result), /\nBail out! .*\n$/);
  assert.match(asJunit(result), /<property name="cutOff" value="true"\/>/);
});

test('printable leaves lines and letters, and escapes the rest', () => {
  assert.equal(printable('ä\nb\x1b[2J\u202e'), 'ä\nb\\x1b[2J\\u{202e}');
});
