/** A process that has run out of descriptors: a program of its own, since what it meets would meet its parent, too. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';

/** Room for Node itself and what it needs to start. */
const LIMIT = 100;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in TypeScript that may have few descriptors. */
export async function runWithFew(program: string): Promise<Ended> {
  const words = ['--input-type=module-typescript', '-e', program];
  const shell = `ulimit -n ${LIMIT}; exec "$@"`;
  const child = spawn('sh', ['-c', shell, 'sh', process.execPath, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await ended;
  return { code: child.exitCode, stdout, stderr };
}

/** Takes every descriptor that is left to this process. @returns what gives them back */
export function takeDescriptors(): () => void {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    // None is left.
  }
  return () => {
    for (const fd of taken) closeSync(fd);
  };
}
