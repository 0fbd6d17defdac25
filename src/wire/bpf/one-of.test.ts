import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exit, type Line } from '#wire/bpf/assemble.ts';
import { oneOf } from '#wire/bpf/one-of.ts';

/** Where the instructions lead, and after how many. */
function follow(lines: readonly Line[], value: number): { readonly label: string; readonly steps: number } {
  const place = (label: string) => lines.findIndex((line) => 'label' in line && line.label === label);
  let steps = 0;
  for (let at = 0; ; steps++) {
    const line = lines[at];
    if (line === undefined || 'label' in line) assert.fail('ran past the end');
    const imm = (line.imm ?? 0) >>> 0;
    const taken = line.code === 0x05 || (line.code === 0x16 && value === imm) || (line.code === 0x26 && value > imm);
    if (taken) {
      const label = String(line.off);
      if (label === 'found' || label === 'none') return { label, steps };
      at = place(label);
    }
    at++;
    while (lines[at] !== undefined && 'label' in (lines[at] ?? exit)) at++;
  }
}

test('oneOf finds exactly the words that it was given, in few steps', () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(fc.uniqueArray(word, { maxLength: 60 }), word, (words, other) => {
      const lines = oneOf(4, words, 'found', 'none');
      for (const each of words) assert.equal(follow(lines, each).label, 'found');
      assert.equal(follow(lines, other).label, words.includes(other) ? 'found' : 'none');
    }),
  );
  const many = Array.from({ length: 4096 }, (_, i) => i * 1_000_003);
  assert.ok(follow(oneOf(4, many, 'found', 'none'), many[4000] ?? 0).steps < 16);
});
