/** What makes the executables of a folder work without an agent: a file that tells the shim what to run instead. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { bundle, modulesOf } from '#cni/daemonless/bundle.ts';
import { NEED_AGENT } from '#cni/daemonless/load.ts';
import { isSealed, seal } from '#cni/daemonless/seal.ts';
import { writeWhole } from '#cni/parts/whole-file.ts';

/** The name is in native/cni-shim.c, too. */
export const ALONE_FILE = '.polder';

const ROOT = join(import.meta.dirname, '../../..');
const ENTRY = join(ROOT, 'src/cmd/cni-plugin.ts');
const PLUGINS = join(ROOT, 'src/cni/plugins');
const BUNDLER = join(import.meta.dirname, 'bundle.ts');

export interface AloneWords {
  /** The Node that is to run the plugins. */
  readonly node: string;
  /** How long a worker waits for the next call, milliseconds; 0: no workers, each call starts Node anew. Absent: the worker's default. */
  readonly workerIdleMs?: number;
  /** Where the program and what Node compiles of it are kept. Absent: where the command `polder` keeps such things. */
  readonly stateDir?: string;
}

/**
 * Bundles the program into one file, if there is no whole one, and writes the file beside the executables that names it.
 * @throws Error if the folder cannot be written
 */
export function installAlone(binDir: string, { node, workerIdleMs, stateDir }: AloneWords): void {
  const state = stateDir ?? join(ROOT, '.polder');
  const late = plugins();
  const files = nativeFiles();
  const version = versionOf(late, files);
  // A worker serves only those that would run the same program by the same Node.
  const worker = createHash('sha256').update(`${version}\0${node}\0${workerIdleMs}`).digest('hex').slice(0, 12);
  const program = bundledProgram(state, version, late, files);
  const words = [
    `NODE_COMPILE_CACHE=${join(state, 'cache')}`,
    ...(workerIdleMs === 0 ? [] : [`POLDER_WORKER=${worker}`]),
    ...(workerIdleMs ? [`POLDER_WORKER_IDLE_MS=${workerIdleMs}`] : []),
    ...(program === undefined ? [] : [`POLDER_PROGRAM_BYTES=${statSync(program).size}`]),
    node,
    program ?? ENTRY,
  ];
  write(join(binDir, ALONE_FILE), `${words.join('\n')}\n`);
}

type Paths = Readonly<Record<string, string>>;

/**
 * The FFI library's own file: to find it, the package looks at Node's executable and at several places, which takes three
 * times as long as loading it. What the package adds to it is for programs that were written for its older versions.
 */
function nativeFiles(): Paths {
  const load = createRequire(import.meta.filename);
  const find = () => Object.keys(load.cache).find((path) => path.endsWith('/koffi.node'));
  if (find() === undefined) load('koffi');
  const file = find();
  return file === undefined ? {} : { koffi: file };
}

/** A digest of the present sources, and of what makes one text of them. */
function versionOf(late: Paths, files: Paths): string {
  const hash = createHash('sha256').update(JSON.stringify(files)).update(readFileSync(BUNDLER));
  for (const { path, source } of modulesOf(ROOT, [ENTRY, ...Object.values(late)]).values()) {
    hash.update(`${path}\0${source}\0`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Path of the bundle; undefined where it cannot be kept. */
function bundledProgram(state: string, version: string, late: Paths, files: Paths): string | undefined {
  const file = join(state, `cni-plugin-${version}.cjs`);
  if (existsSync(file) && isSealed(readFileSync(file, 'utf8'))) return file;
  try {
    mkdirSync(state, { recursive: true, mode: 0o755 });
    write(file, seal(bundle(ROOT, ENTRY, late, files)));
    return file;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined; // a read-only installation
    throw error;
  }
}

/** Every plugin that has its file in its place. */
function plugins(): Record<string, string> {
  const types = readdirSync(PLUGINS).filter((type) => !NEED_AGENT.includes(type));
  const files = types.map((type) => [type, join(PLUGINS, type, `${type}.ts`)] as const);
  return Object.fromEntries(files.filter(([, file]) => existsSync(file)));
}

/** The shim may read it at this moment, and others may be installing; root runs what it says. */
function write(path: string, text: string): void {
  writeWhole(path, text, 0o644, `${path}.${process.pid}.new`);
}
