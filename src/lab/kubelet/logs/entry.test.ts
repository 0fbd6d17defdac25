import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type LogEntry, LogPrinter, lastLines, logQuery, readEntry } from '#lab/kubelet/logs/entry.ts';

const entry = (text: string, partial = false): LogEntry => ({
  time: '2026-01-01T00:00:00Z',
  stream: 'stdout',
  partial,
  text,
});

test('an entry is read with its tag; text may be empty or hold spaces', () => {
  assert.deepEqual(readEntry('2026-01-01T00:00:00.5Z stderr P a  b '), {
    time: '2026-01-01T00:00:00.5Z',
    stream: 'stderr',
    partial: true,
    text: 'a  b ',
  });
  assert.equal(readEntry('t stdout F ')?.text, '');
  assert.equal(readEntry('t stdout F')?.text, '');
  assert.equal(readEntry('garbage'), undefined);
});

test('any text comes back from the entry it was written in', () => {
  fc.assert(fc.property(fc.string(), (text) => assert.equal(readEntry(`t stdout F ${text}`)?.text, text)));
});

test('partial entries make one line, with one timestamp', () => {
  const printer = new LogPrinter({ timestamps: true });
  const lines = [entry('a', true), entry('b'), entry('c')].map((e) => printer.print(e)).join('');
  assert.equal(lines, '2026-01-01T00:00:00Z ab\n2026-01-01T00:00:00Z c\n');
});

test('what is older than since is left out', () => {
  const printer = new LogPrinter({ timestamps: false, since: Date.parse('2026-01-01T00:00:01Z') });
  assert.equal(printer.print(entry('old')), '');
  assert.equal(printer.print({ ...entry('new'), time: '2026-01-01T00:00:01Z' }), 'new\n');
});

test('the last lines count whole lines, an unfinished one as a line', () => {
  const all = [entry('1'), entry('2a', true), entry('2b'), entry('3')];
  const texts = (n: number, of = all) => lastLines(of, n).map((e) => e.text);
  assert.deepEqual(texts(1), ['3']);
  assert.deepEqual(texts(2), ['2a', '2b', '3']);
  assert.deepEqual(texts(9), ['1', '2a', '2b', '3']);
  assert.deepEqual(texts(0), []);
  assert.deepEqual(texts(1, [entry('1'), entry('2', true)]), ['2']);
});

test('a query is read from its parameters, bad numbers are refused', () => {
  const of = (text: string) => logQuery(new URLSearchParams(text), 10_000);
  assert.deepEqual(of('follow=true&tailLines=5&sinceSeconds=3&timestamps=1&limitBytes=7'), {
    follow: true,
    previous: false,
    timestamps: true,
    tailLines: 5,
    since: 7_000,
    limitBytes: 7,
  });
  assert.equal(of('sinceTime=1970-01-01T00:00:02Z').since, 2000);
  assert.throws(() => of('tailLines=-1'), RangeError);
  assert.throws(() => of('sinceTime=yesterday'), RangeError);
});
