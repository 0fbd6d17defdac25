/** A folder of CNI executables and no agent: what each call does, a process does by itself. */

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { installAlone } from '#cni/daemonless/install.ts';
import { answerOf, SHIM, type ShimAnswer } from '#cni/testing/bed.ts';

export interface Alone {
  readonly dir: string;
  readonly binDir: string;
  /** Where an agent would listen. */
  readonly socketPath: string;
  /** Runs the executable. */
  cni(plugin: string, command: string, env: Record<string, string>, conf: unknown): Promise<ShimAnswer>;
}

export function alone(t: TestContext, plugins: readonly string[]): Alone {
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-alone-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const binDir = join(dir, 'bin');
  mkdirSync(binDir);
  for (const plugin of plugins) symlinkSync(SHIM, join(binDir, plugin));
  installAlone(binDir, process.execPath);
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
  };
}

function run(path: string, env: Record<string, string>, stdin: string): Promise<ShimAnswer> {
  return answerOf(spawn(path, [], { env, stdio: ['pipe', 'pipe', 'inherit'] }), stdin);
}
