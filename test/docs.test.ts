import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { PLUGINS } from '#cni/plugins/table.ts';
import { DEBIAN_TYPES } from '#test/conformance/debian.ts';
import { unexplained, unseen } from '#test/conformance/differences.ts';
import { readResults } from '#test/conformance/results.ts';
import { ALONE_TYPES } from '#test/conformance/sets.ts';
import { generatedPages } from '../docs/generate.ts';

const ROOT = join(import.meta.dirname, '..');

for (const [path, text] of generatedPages()) {
  test(`docs/${path} is what the code's table says now (else run: npm run docs)`, () => {
    assert.equal(readFileSync(join(ROOT, 'docs', path), 'utf8'), text);
  });
}

test('each failure of the reference in the conformance suite is explained, and each explanation was seen', () => {
  assert.deepEqual(unexplained(readResults()), []);
  assert.deepEqual(unseen(readResults()), []);
});

test('Polder’s plugins fail no case of the conformance suite, and each was tried', () => {
  const { here, debian } = readResults();
  const failed = [here.polder, here.alone, debian.polder].flatMap((run) =>
    Object.entries(run?.types ?? {}).flatMap(([type, one]) => one.failed.map((name) => `${type}/${name}`)),
  );
  assert.deepEqual(failed, []);
  const untried = [here.polder, here.alone, debian.polder].flatMap((run) =>
    Object.values(run?.types ?? {}).flatMap((one) => one.untried ?? []),
  );
  assert.deepEqual(untried, []);
  assert.deepEqual(Object.keys(here.polder.types).sort(), [...PLUGINS.keys()].sort());
  assert.deepEqual(Object.keys(here.alone?.types ?? {}).sort(), ALONE_TYPES.toSorted());
  assert.deepEqual(Object.keys(debian.polder.types).sort(), [...DEBIAN_TYPES].sort());
});

/** Pages of the repository; git need not be installed. */
function markdownBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((e) => e.name !== 'node_modules' && !e.name.startsWith('.'))
    .flatMap((e) => {
      const path = join(folder, e.name);
      return e.isDirectory() ? markdownBelow(path) : path.endsWith('.md') ? [path] : [];
    });
}

test('every relative link of the documents leads to a file', () => {
  const pages = markdownBelow('.');
  const broken = pages.flatMap((page) => {
    const links = readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g);
    return Array.from(links, (m) => m[1] ?? '')
      .filter((to) => !existsSync(join(ROOT, dirname(page), to)))
      .map((to) => `${page} -> ${to}`);
  });
  assert.deepEqual(broken, []);
});

test('every row of what the API serves names a test that is there', () => {
  const text = readFileSync(join(ROOT, 'docs/api.md'), 'utf8');
  const rows = text.split('\n').filter((line) => /^\| (?!---|what \||kinds \|)/.test(line));
  assert.ok(rows.length > 30);
  const without = rows.filter((row) => {
    const cell = row.split(' | ').at(-1) ?? '';
    const tests = Array.from(cell.matchAll(/\]\(([^)]+)\)/g), (match) => match[1] ?? '');
    const areThere = tests.every((to) => to.endsWith('.test.ts') && existsSync(join(ROOT, 'docs', to)));
    return tests.length === 0 || !areThere;
  });
  assert.deepEqual(without, []);
});
