import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bundle } from '#cni/daemonless/bundle.ts';

function program(t: TestContext, files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), 'pt-bundle-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return (late: Readonly<Record<string, string>> = {}, files: Readonly<Record<string, string>> = {}) => {
    const within = (paths: Readonly<Record<string, string>>) =>
      Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, join(root, path)]));
    return bundle(root, join(root, 'src/main.ts'), within(late), within(files));
  };
}

test('a bundle does what its modules do', (t) => {
  const text = program(t, {
    'src/main.ts': `import { basename as base } from 'node:path';
import type { Nothing } from '#net/types.ts';
import { type Shape, area, NAMES as names } from '#cni/area.ts';
import table from '#cni/table.json' with { type: 'json' };
import * as all from '#net/area2.ts';
const shape: Shape = { side: await Promise.resolve(2) };
const late = Reflect.get(globalThis, 'polderLate');
const { far } = await import('#cni/far.ts');
console.log(area(shape), names.join(), base('/a/b'), table.x, all.default2(), Object.keys(late), late.other().other, far);
`,
    'src/cni/area.ts': `export interface Shape { readonly side: number }
export function area({ side }: Shape): number { return side * side; }
const NAMES = ['a', 'b'] as const;
export { NAMES };
export type Kind = 'x';
`,
    'src/net/area2.ts': `import { area } from '#cni/area.ts';
export async function never(): Promise<void> {}
export class C { readonly x = 1; }
export const default2 = (): number => area({ side: new C().x });
`,
    'src/cni/table.json': '{ "x": 7 }',
    'src/cni/far.ts': "export const far = 'far';\n",
    'src/cni/other.ts': "export const other = 'late';\n",
  })({ other: 'src/cni/other.ts' });
  const said = execFileSync(process.execPath, ['--input-type=commonjs', '-e', text], { encoding: 'utf8' });
  assert.equal(said, "4 a,b b 7 1 [ 'other' ] late far\n");
});

test('a bundle loads a file in place of a package, and is ASCII whatever its modules hold', (t) => {
  const text = program(t, {
    'src/main.ts': `import native from 'some-package';
/** What it’s like: a type of “other” letters leaves white space that is not ASCII. */
type Kind = 'ü' | 'straße';
const kind: Kind | 'größer' = 'ü';
console.log(native.word, kind, \`…\${'😀'}\`, /^[ä-ü]$/.test(kind));
`,
    'some.cjs': "module.exports = { word: 'from the file' };",
  })({}, { 'some-package': 'some.cjs' });
  assert.match(text, /^[\0-\x7f]*$/);
  const said = execFileSync(process.execPath, ['--input-type=commonjs', '-e', text], { encoding: 'utf8' });
  assert.equal(said, 'from the file ü …😀 true\n');
});

test('a bundle refuses what it does not understand, and says where', (t) => {
  const fails = (text: string, message: RegExp) =>
    assert.throws(() => program(t, { 'src/main.ts': text, 'src/cni/a.ts': 'export const a = 1;\n' })(), message);
  fails("export * from '#cni/a.ts';\n", /Cannot bundle src\/main.ts: export \*/);
  fails('export default 1;\n', /export default/);
  fails('export let x = 1;\n', /export let/);
  fails('console.log(import.meta.url);\n', /import\.meta/);
  fails("console.log('1\u2009000');\n", /Cannot bundle src\/main.ts: white space that is not ASCII/);
});
