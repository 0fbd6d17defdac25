/** Starts a program in a network namespace and waits for its end. */

import { spawn } from 'node:child_process';
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

/** As long as container runtimes wait for a plugin. */
const TIMEOUT_MS = 120_000;

/** Ends when the program and whoever else holds its output have ended. @throws Error if it cannot be started. */
export function run(netns: Netns, program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const started = performance.now();
  const child = inNetns(netns, () => spawn(program, args, { env: { PATH, ...options.env } }));
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  let stdout = '';
  let stderr = '';
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
    // A grandchild may hold the pipes for ever.
    child.stdout.destroy();
    child.stderr.destroy();
  }, options.timeoutMs ?? TIMEOUT_MS);
  const killer =
    options.killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), options.killAfterMs);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {}); // it need not read it
  child.stdin.end(options.stdin ?? '');
  child.on('error', reject);
  child.on('close', (exit) => {
    clearTimeout(timer);
    clearTimeout(killer);
    resolve({ exit, stdout, stderr, ms: performance.now() - started, late });
  });
  return promise;
}

/** A tool that must succeed. @throws Error with what it said */
export async function must(netns: Netns, argv: readonly string[], stdin?: string): Promise<string> {
  const [program = '', ...args] = argv;
  const ran = await run(netns, program, args, stdin === undefined ? {} : { stdin });
  if (ran.exit !== 0)
    throw new Error(`\`${argv.join(' ')}\` failed: ${ran.stderr.trim() || `exit status ${ran.exit}`}`);
  return ran.stdout;
}
