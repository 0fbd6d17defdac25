/** A folder of CNI executables and no agent: calls are served by a worker, or each by a process of its own. */

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { installAlone } from '#cni/daemonless/install.ts';
import { answerOf, SHIM, type ShimAnswer } from '#cni/testing/bed.ts';

export interface Alone {
  readonly dir: string;
  readonly binDir: string;
  /** Where an agent would listen. */
  readonly socketPath: string;
  /** Runs the executable. */
  cni(plugin: string, command: string, env: Record<string, string>, conf: unknown): Promise<ShimAnswer>;
  /** Processes that serve calls. */
  workers(): number[];
}

/** @param workerIdleMs 0: each call is a process of its own */
export function alone(t: TestContext, plugins: readonly string[], workerIdleMs?: number): Alone {
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-alone-'));
  t.after(async () => {
    await endWorkers(dir, join(dir, 'run'));
    rmSync(dir, { recursive: true, force: true });
  });
  const binDir = join(dir, 'bin');
  mkdirSync(binDir);
  for (const plugin of plugins) symlinkSync(SHIM, join(binDir, plugin));
  installAlone(binDir, { node: process.execPath, ...(workerIdleMs !== undefined && { workerIdleMs }) });
  const socketPath = join(dir, 'run/cni.sock');
  return {
    dir,
    binDir,
    socketPath,
    cni: (plugin, command, env, conf) =>
      run(
        join(binDir, plugin),
        { POLDER_CNI_SOCKET: socketPath, CNI_PATH: binDir, CNI_COMMAND: command, ...env },
        typeof conf === 'string' ? conf : JSON.stringify(conf),
      ),
    workers: () => workersAt(dir),
  };
}

/**
 * Ends the workers whose sockets are in the folder, below `dir`: one whose socket has no name any more ends. Name by name:
 * Node's recursive removal stops, and says nothing, at a file that somebody else takes away at the same time.
 */
export async function endWorkers(dir: string, folder: string): Promise<void> {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names) if (/\.sock\.[0-9a-f]+$/.test(name)) rmSync(join(folder, name), { force: true });
  await until(() => workersAt(dir).length === 0);
}

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

/** Processes of workers whose sockets are below the folder. */
function workersAt(dir: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .map(Number)
    .filter((pid) => wordsOf(pid).some((word, i, words) => words[i - 1] === '--worker' && word.startsWith(`${dir}/`)));
}

/** None if the process has ended meanwhile. */
function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function run(path: string, env: Record<string, string>, stdin: string): Promise<ShimAnswer> {
  return answerOf(spawn(path, [], { env, stdio: ['pipe', 'pipe', 'inherit'] }), stdin);
}
