/** Running a short program to its end. */

import { spawn } from 'node:child_process';

export interface RunResult {
  /** Exit status; 128 + signal number where a signal ended it; 127 where it could not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** What a program may print before the rest is dropped, bytes. */
const OUTPUT_MAX = 64 * 1024;

/** Never rejects. With a clean environment: nothing of the kubelet's own leaks into containers. */
export function run(
  program: string,
  args: readonly string[],
  options: { readonly timeoutMs?: number } = {},
): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: CLEAN_ENV, cwd: '/' });
    const output = { stdout: '', stderr: '' };
    let timedOut = false;
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => {
        if (output[name].length < OUTPUT_MAX) output[name] += text;
      });
    }
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            child.kill('SIGKILL');
          }, options.timeoutMs);
    child.once('error', (error) => resolve({ code: 127, ...output, stderr: error.message, timedOut }));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? (signal === null ? 1 : 137), ...output, timedOut });
    });
  });
}

export const CLEAN_ENV = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
