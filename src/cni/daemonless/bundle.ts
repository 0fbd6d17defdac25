/**
 * All modules of a program as one CommonJS text: a process that lives for one call spends most of its time on finding and
 * linking modules one by one. Understands the way in which this house writes modules, and refuses what it does not.
 */

import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative } from 'node:path';

const IMPORT = /^import\s+(?:([\w$*{][^;'"]*?)\s+from\s+)?'([^']+)'(?:\s+with\s+\{[^}]*\})?;/gm;
const TYPE_IMPORT = /^import\s+type\s[^;]*;/gm;
const DYNAMIC = /\bimport\('([^']+)'\)/g;
const DECLARATION = /^export\s+((?:async\s+)?function\s*\*?|class|const)\s+([\w$]+)/gm;
const LIST = /^export\s+\{([^}]*)\};/gm;

/** Modules of Node that cost milliseconds, of which only functions are used, and those seldom. */
const SLOW: ReadonlySet<string> = new Set(['node:child_process', 'node:crypto']);

interface Module {
  readonly path: string;
  readonly source: string;
  /** Words of an import -> path of the module; packages and `node:` modules are not among them. */
  readonly imports: ReadonlyMap<string, string>;
}

/** The modules that the entries lead to, by path. `root` is the folder of package.json. */
export function modulesOf(root: string, entries: readonly string[]): ReadonlyMap<string, Module> {
  const modules = new Map<string, Module>();
  const open = [...entries];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (modules.has(path)) continue;
    const module = readModule(root, path);
    modules.set(path, module);
    open.push(...module.imports.values());
  }
  return modules;
}

function readModule(root: string, path: string): Module {
  const source = readFileSync(path, 'utf8');
  if (path.endsWith('.json')) return { path, source, imports: new Map() };
  const code = source.replace(TYPE_IMPORT, '');
  const named = [...code.matchAll(IMPORT)].map(([, , words = '']) => words);
  const dynamic = [...code.matchAll(DYNAMIC)].map(([, words = '']) => words);
  const own = [...named, ...dynamic].flatMap((words): [string, string][] => {
    const target = resolve(root, words);
    return target === undefined ? [] : [[words, target]];
  });
  return { path, source, imports: new Map(own) };
}

/** `#net/addr.ts`; undefined for packages. */
function resolve(root: string, words: string): string | undefined {
  return words.startsWith('#') ? join(root, 'src', words.slice(1)) : undefined;
}

/**
 * The text of the program. Each module is a function that runs at its first use, so that only what a call needs is run.
 * @param late modules that the program finds by itself, as `globalThis.polderLate`: name -> path
 * @param files what to load in place of a package: its name -> path
 * @throws Error naming a module that is written in a way that is not understood
 */
export function bundle(
  root: string,
  entry: string,
  late: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
): string {
  const modules = modulesOf(root, [entry, ...Object.values(late)]);
  const names = new Map(Array.from(modules.keys(), (path, i) => [path, `m${i}`]));
  const texts = Array.from(modules.values(), (module) => define(root, module, names, module.path === entry));
  const table = Object.entries(late).map(([name, path]) => `${JSON.stringify(name)}: ${names.get(path)}`);
  return ascii([
    "'use strict';",
    `const polderFiles = { __proto__: null, ...${JSON.stringify(files)} };`,
    `const polderPackage = require('node:module').createRequire(${JSON.stringify(entry)});`,
    'const polderRequire = (words) => words in polderFiles ? require(polderFiles[words]) : polderPackage(words);',
    'const polderDefault = (m) => m.default ?? m;',
    'const polderOnce = (f) => { let m; return () => (m ??= f()); };',
    ...texts,
    `globalThis.polderLate = { ${table.join(', ')} };`,
    `${names.get(entry)}();`,
    '',
  ]);
}

/**
 * V8 keeps a text with any other character in twice the room, and Node takes longer to read it. What is in strings is
 * escaped; white space is what the stripper has left of types (`refuse` sees to it that there is no other).
 */
function ascii(lines: readonly string[]): string {
  return lines
    .join('\n')
    .replace(STRANGE_SPACE, ' ')
    .replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** White space that is not ASCII. */
const STRANGE_SPACE = /(?![\0-\x7f])\s/g;

function define(root: string, module: Module, names: ReadonlyMap<string, string>, isEntry: boolean): string {
  const name = names.get(module.path);
  if (module.path.endsWith('.json')) return `const ${name} = polderOnce(() => ({ default: ${module.source} }));`;
  const code = stripTypeScriptTypes(module.source, { mode: 'strip' });
  const exported: string[] = [];
  const body = code
    .replace(IMPORT, (_, what: string | undefined, words: string) => imported(module, names, what, words))
    .replace(DYNAMIC, (_, words: string) => `Promise.resolve(${call(module, names, words)})`)
    .replace(DECLARATION, (_, kind: string, id: string) => {
      exported.push(id);
      return `${kind} ${id}`;
    })
    .replace(LIST, (_, list: string) => {
      exported.push(...list.split(',').map((one) => one.trim().replace(/^(\S+)\s+as\s+(\S+)$/, '$2: $1')));
      return '';
    })
    .replaceAll('import.meta.dirname', JSON.stringify(dirname(module.path)));
  refuse(root, module, body);
  const returned = exported.filter((one) => one !== '').join(', ');
  return `const ${name} = polderOnce(${isEntry ? 'async ' : ''}() => {${body}\nreturn { ${returned} };\n});`;
}

function imported(module: Module, names: ReadonlyMap<string, string>, what: string | undefined, words: string): string {
  const value = call(module, names, words);
  if (what === undefined) return `${value};`;
  if (SLOW.has(words)) return onCall(words, what);
  const [, first, rest] = /^(?:([\w$]+)\s*,?\s*)?(\{[\s\S]*\}|\* as [\w$]+)?$/.exec(what.trim()) ?? [];
  return [
    ...(first === undefined ? [] : [`const ${first} = polderDefault(${value});`]),
    ...(rest === undefined ? [] : [`const ${rest.replace('* as ', '').replace(/\s+as\s+/g, ': ')} = ${value};`]),
  ].join(' ');
}

/** Functions that load their module when they are called. */
function onCall(words: string, what: string): string {
  const names = what
    .replace(/[{}]/g, '')
    .split(',')
    .map((one) => one.trim());
  return names
    .filter((one) => one !== '')
    .map((one) => {
      const [name = '', local = name] = one.split(/\s+as\s+/);
      return `const ${local} = (...args) => polderRequire('${words}').${name}(...args);`;
    })
    .join(' ');
}

function call({ imports }: Module, names: ReadonlyMap<string, string>, words: string): string {
  const target = imports.get(words);
  return target === undefined ? `polderRequire('${words}')` : `${names.get(target)}()`;
}

/** What would mean something else in the bundle than in the module. */
function refuse(root: string, { path, source }: Module, body: string): void {
  if (source.search(STRANGE_SPACE) >= 0)
    throw new Error(`Cannot bundle ${relative(root, path)}: white space that is not ASCII`);
  const left = /^(?:export|import)\b.*|\bimport\.meta\b.*/m.exec(body);
  if (left) throw new Error(`Cannot bundle ${relative(root, path)}: ${left[0]}`);
}
