/**
 * The layer rules of the house, as a table with a reason each (docs/design/house.md draws them). A folder of `src/`
 * imports only what its row names; `node:` modules and packages are part of the row.
 */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

interface Layer {
  /** Folders of `src/` that it may import from, itself aside. */
  readonly folders: readonly string[];
  /** Whether it may import `node:` modules. */
  readonly node: boolean;
  /** Packages that it may import at run time; 'any' where effects are at home. */
  readonly packages: readonly string[] | 'any';
  readonly why: string;
}

const LAYERS = {
  net: { folders: [], node: false, packages: [], why: 'the words that all others speak import nothing' },
  spec: { folders: ['net'], node: false, packages: [], why: 'what outsiders say, as values and types' },
  wire: {
    folders: ['net', 'spec'],
    node: false,
    packages: [],
    why: 'bytes or text <-> values: pure codecs, never a socket',
  },
  calc: {
    folders: ['net', 'spec', 'wire'],
    node: false,
    packages: [],
    why: 'thinking can move to a worker and be tested with plain values',
  },
  plan: {
    folders: ['net', 'spec', 'wire', 'calc'],
    node: false,
    packages: [],
    why: 'thinking, as calc; all ordering lives here',
  },
  trace: {
    folders: ['net', 'spec', 'wire', 'calc', 'plan'],
    node: false,
    packages: [],
    why: 'thinking, as calc; walks the same values',
  },
  kernel: {
    folders: ['net', 'wire', 'spec/errors.ts'],
    node: true,
    packages: ['koffi'],
    why: 'it knows the kernel and no Kubernetes; of spec only the registry of errors',
  },
  feed: { folders: ['net', 'spec'], node: true, packages: ['yaml'], why: 'it knows the API and no kernel' },
  sync: {
    folders: ['net', 'spec', 'wire', 'calc', 'plan', 'kernel', 'feed'],
    node: true,
    packages: [],
    why: 'the one place where wanted values meet the kernel',
  },
  cni: {
    folders: ['net', 'spec', 'wire', 'calc', 'plan', 'kernel', 'feed', 'sync'],
    node: true,
    packages: 'any',
    why: 'a program: uses thinking and touching, no other program',
  },
  serve: {
    folders: ['net', 'spec', 'wire', 'calc', 'plan', 'trace', 'kernel', 'feed', 'sync', 'cni'],
    node: true,
    packages: 'any',
    why: 'programs; the agent serves CNI, so cni is its left neighbour',
  },
  lab: {
    folders: ['net', 'spec', 'wire', 'calc', 'plan', 'trace', 'kernel', 'feed', 'sync', 'cni', 'serve'],
    node: true,
    packages: 'any',
    why: 'nodes as namespaces that run the real programs',
  },
  cli: {
    folders: ['net', 'spec', 'wire', 'calc', 'plan', 'trace', 'kernel', 'feed', 'sync', 'cni', 'serve', 'lab'],
    node: true,
    packages: 'any',
    why: 'a file a command; commands drive programs and the lab',
  },
  cmd: {
    folders: [
      'net',
      'spec',
      'wire',
      'calc',
      'plan',
      'trace',
      'kernel',
      'feed',
      'sync',
      'cni',
      'serve',
      'lab',
      'cli',
      'bench/harness.ts',
      'bench/chart.ts',
    ],
    node: true,
    packages: 'any',
    why: 'programs’ entry points: argv, environment, signals, exit codes; nobody imports it',
  },
} as const satisfies Record<string, Layer>;

type Folder = keyof typeof LAYERS;
const FOLDERS = Object.keys(LAYERS) as Folder[];
const ROOT = join(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

interface Import {
  readonly file: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

function sources(folder: string): string[] {
  if (!existsSync(join(SRC, folder))) return []; // trace comes with a later issue
  return readdirSync(join(SRC, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

/** Tests, and what only tests use: it stands in folders named `testing`. */
function forTests(file: string): boolean {
  return /\.test\.ts$|(?:^|\/)testing\//.test(file);
}

function textOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
}

const IMPORT =
  /^(?:import|export)(\s+type)?\b[^;]*?\bfrom\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm;

function importsOf(file: string): Import[] {
  return Array.from(textOf(file).matchAll(IMPORT), (m) => ({
    file,
    specifier: m[2] ?? m[3] ?? m[4] ?? '',
    typeOnly: m[1] !== undefined,
  }));
}

/** What is wrong with one import; undefined if nothing is. */
function fault(folder: Folder, { file, specifier, typeOnly }: Import): string | undefined {
  const layer: Layer = LAYERS[folder];
  const isTest = forTests(file);
  const bad = (what: string) => `src/${file}: ${what} (${folder}: ${layer.why})`;
  if (specifier.startsWith('.')) return bad(`relative import ${specifier}; write #${folder}/…`);
  if (!isTest && specifier.includes('/testing/')) return bad(`imports ${specifier}, which is for tests`);
  if (specifier.startsWith('#')) {
    const path = specifier.slice(1);
    const target = path.split('/')[0] ?? '';
    if (target === folder || (isTest && target === 'test')) return undefined;
    return layer.folders.some((f) => path === f || path.startsWith(`${f}/`)) ? undefined : bad(`imports ${specifier}`);
  }
  if (isTest || typeOnly) return undefined;
  if (specifier.startsWith('node:')) return layer.node ? undefined : bad(`imports ${specifier}`);
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return layer.packages === 'any' || layer.packages.includes(name) ? undefined : bad(`imports the package ${name}`);
}

for (const folder of FOLDERS) {
  test(`${folder} imports only what its layer may: ${LAYERS[folder].why}`, () => {
    const faults = sources(folder).flatMap((file) => importsOf(file).flatMap((i) => fault(folder, i) ?? []));
    assert.deepEqual(faults, []);
  });
}

test('every folder of src has a row in the table', () => {
  const folders = readdirSync(SRC, { withFileTypes: true }).filter((e) => e.isDirectory());
  assert.deepEqual(
    folders.map((e) => e.name).filter((name) => !(name in LAYERS)),
    [],
  );
});

interface Ban {
  readonly what: string;
  readonly pattern: RegExp;
  /** Folders or files (prefixes below src/) where it is at home. */
  readonly home: readonly string[];
  readonly why: string;
}

const THINKING = ['net', 'spec', 'wire', 'calc', 'plan', 'trace'];

const BANS: readonly Ban[] = [
  {
    what: 'process.exit and process.env',
    pattern: /\bprocess\.(?:exit|env|argv)\b/,
    home: ['cmd'],
    why: 'only a program’s entry decides how it ends and reads its surroundings',
  },
  { what: 'koffi', pattern: /\bfrom 'koffi'/, home: ['kernel/ffi'], why: 'all FFI stands in one place' },
  { what: 'default exports', pattern: /^export default\b/m, home: [], why: 'a thing has one name everywhere' },
  {
    what: 'any and silencing',
    pattern: /\bas any\b|: any\b|<any>|@ts-(?:ignore|expect-error|nocheck)|\bas unknown as\b/,
    home: [],
    why: 'types are the first test',
  },
];

for (const ban of BANS) {
  test(`${ban.what} stand only in [${ban.home.join(', ')}]: ${ban.why}`, () => {
    const found = FOLDERS.flatMap(sources)
      .filter((file) => !ban.home.some((h) => file.startsWith(`${h}/`)) && !forTests(file))
      .filter((file) => ban.pattern.test(textOf(file)));
    assert.deepEqual(found, []);
  });
}

test('thinking has no clock, randomness, logger or Promise: it can be tested with plain values', () => {
  const effect = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bconsole\.|\bPromise\b|\basync\b|\bsetTimeout\b/;
  const found = THINKING.flatMap(sources)
    .filter((file) => !forTests(file))
    .filter((file) => effect.test(textOf(file).replace(/\/\/.*$/gm, '')));
  assert.deepEqual(found, []);
});

test('every import alias of package.json names a folder that exists', () => {
  const { imports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    imports: Record<string, string>;
  };
  const known = new Set<string>([...FOLDERS, 'test', 'bench']);
  assert.deepEqual(
    Object.keys(imports).filter((key) => !known.has(key.slice(1).split('/')[0] ?? '')),
    [],
  );
});
