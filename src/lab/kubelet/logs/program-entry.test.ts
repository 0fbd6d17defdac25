import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programEntries } from '#lab/kubelet/logs/program-entry.ts';

const T = Date.parse('2026-01-02T03:04:05Z');
const line = (ms: number, msg: string) =>
  `{"level":30,"time":${T + ms},"program":"agent","msg":${JSON.stringify(msg)}}`;
const FILE = [
  line(0, 'first'),
  'Error: it broke',
  '    at somewhere',
  line(5_000, 'second'),
  line(5_001, '{"time":1}'),
  'a warning',
];

test('programEntries gives the lines of one run; those without a time are of the line before', () => {
  const read = (from: number, to: number) => {
    const entryOf = programEntries({ from: T + from, to: T + to });
    return FILE.flatMap((text) => entryOf(text) ?? []);
  };
  assert.deepEqual(
    read(0, 4_000).map(({ text }) => text),
    FILE.slice(0, 3),
  );
  const second = read(4_000, Number.POSITIVE_INFINITY);
  assert.deepEqual(
    second.map(({ text }) => text),
    FILE.slice(3),
  );
  assert.deepEqual(
    second.map(({ time }) => time),
    ['2026-01-02T03:04:10.000Z', '2026-01-02T03:04:10.001Z', '2026-01-02T03:04:10.001Z'],
  );
});
