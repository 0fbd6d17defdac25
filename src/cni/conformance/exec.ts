/** Starts a program in a network namespace and waits for its end. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { bounds } from '#cni/conformance/bounds.ts';
import { NotHere } from '#cni/conformance/outcome.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';

export interface Ran {
  /** Null if a signal ended it. */
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds. */
  readonly ms: number;
  /** True if it had to be killed because it did not end in time. */
  readonly late: boolean;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** SIGKILL to the program alone after so many milliseconds: what a runtime does at its deadline. */
  readonly killAfterMs?: number;
  readonly timeoutMs?: number;
}

/** Where the tools of iproute2 and nftables are. */
export const PATH = '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin';

/** What a shell says of a program that it cannot start. */
const NOT_STARTED = 127;

/**
 * Ends when the program and whoever else holds its output have ended. A program given by its path that cannot be started
 * is told as a shell does, by exit status 127.
 *
 * @throws NotHere if it is given by name and there is none; the signal's reason if the run is stopped
 */
export async function run(
  netns: Netns,
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const { signal, onRan } = bounds();
  signal?.throwIfAborted();
  const env = { PATH, ...options.env };
  const ran = await ended(netns, tied(program, args), { ...options, env });
  onRan?.({ program, env, stdin: options.stdin ?? '', exit: ran.exit });
  return ran;
}

function ended(netns: Netns, [file, argv]: Command, options: RunOptions): Promise<Ran> {
  const { signal, timeoutMs } = bounds();
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  const started = performance.now();
  const child = inNetns(netns, () => spawn(file, argv, { env: options.env, detached: true }));
  let stdout = '';
  let stderr = '';
  let late = false;
  const end = () => {
    killGroup(child);
    // A grandchild that left the group may hold the pipes for ever.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const stop = () => {
    end();
    reject(signal?.reason);
  };
  signal?.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(() => {
    late = true;
    end();
  }, options.timeoutMs ?? timeoutMs);
  const killer =
    options.killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), options.killAfterMs);
  const settle = (exit: number | null) => {
    clearTimeout(timer);
    clearTimeout(killer);
    signal?.removeEventListener('abort', stop);
    resolve({ exit, stdout, stderr, ms: performance.now() - started, late });
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {}); // it need not read it
  child.stdin.end(options.stdin ?? '');
  child.on('error', (error) => {
    stderr += error.message;
    settle(NOT_STARTED);
  });
  child.on('close', settle);
  return promise;
}

/** With what it has started, unless that left its process group. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

/** A program's file and its arguments. */
export type Command = readonly [file: string, args: readonly string[]];

let prefix: readonly string[] | undefined;

/**
 * The command that runs a program and ends it when this process ends, even by SIGKILL: by util-linux' setpriv, where that
 * is to be had. @throws NotHere if the program is given by name and there is none
 */
export function tied(program: string, args: readonly string[]): Command {
  prefix ??= setpriv();
  const [file = '', ...argv] = [...prefix, program.includes('/') ? program : found(program), ...args];
  return [file, argv];
}

function setpriv(): readonly string[] {
  const path = programPath('setpriv');
  const command = ['--pdeathsig', 'KILL', '--'];
  // That of busybox does not know the option.
  const knows = path !== undefined && spawnSync(path, [...command, 'true'], { env: { PATH } }).status === 0;
  return knows ? [path, ...command] : [];
}

function found(name: string): string {
  const path = programPath(name);
  if (path === undefined) throw new NotHere(`there is no ${name}, which this case needs`);
  return path;
}

/** Where a program of this name is; undefined if it is nowhere. */
export function programPath(name: string): string | undefined {
  return PATH.split(':')
    .map((dir) => join(dir, name))
    .find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** A tool that must succeed. @throws Error with what it said */
export async function must(netns: Netns, argv: readonly string[], stdin?: string): Promise<string> {
  const [program = '', ...args] = argv;
  const ran = await run(netns, program, args, stdin === undefined ? {} : { stdin });
  if (ran.exit !== 0)
    throw new Error(`\`${argv.join(' ')}\` failed: ${ran.stderr.trim() || `exit status ${ran.exit}`}`);
  return ran.stdout;
}
