/** Runs the real program, as a person would. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';

export const ROOT = join(import.meta.dirname, '../..');
const ENTRY = join(ROOT, 'src/cmd/polder.ts');
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
}

/** False if the user may run programs of this checkout, else the reason why not: it may stand in somebody's closed folder. */
export function closedTo(uid: number): string | false {
  const { status } = spawnSync(process.execPath, ['--version'], { uid, gid: uid, cwd: '/' });
  return status === 0 ? false : `the checkout in ${ROOT} is closed to other users`;
}

/** Starts `polder ARGS…` and does not wait. */
export function startPolder(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const { env = {}, cwd = '/', uid } = options;
  return spawn(process.execPath, [...NODE_FLAGS, ENTRY, ...args], {
    cwd,
    env: { ...process.env, ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

/** Runs `polder ARGS…` to its end. */
export function polder(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return result(startPolder(args, options), options.input);
}

/** Runs any program to its end. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { env = {}, cwd = '/' } = options;
  return result(spawn(file, args, { cwd, env: { ...process.env, ...env } }), options.input);
}

/** Runs a line as a person types it in a shell. */
export function sh(line: string, env: NodeJS.ProcessEnv = {}, input?: string): Promise<Ran> {
  return run('bash', ['-c', line], { env, ...(input === undefined ? {} : { input }) });
}

export async function result(child: ChildProcess, input = ''): Promise<Ran> {
  child.stdin?.on('error', () => {}).end(input);
  const [stdout, stderr, [status]] = await Promise.all([
    child.stdout === null ? '' : text(child.stdout),
    child.stderr === null ? '' : text(child.stderr),
    once(child, 'close'),
  ]);
  return { status, stdout, stderr };
}

/** Why tests with kubectl cannot run here; false if they can. */
export function noKubectl(): string | false {
  const found = (process.env.PATH ?? '').split(delimiter).some((dir) => isExecutable(join(dir, 'kubectl')));
  return found ? false : 'no kubectl on PATH';
}

/** Why tests that make a lab cannot run here; false if they can. */
export function noLab(): string | false {
  return process.getuid?.() === 0 ? false : 'a lab needs root';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
