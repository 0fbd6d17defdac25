/** Our CNI server and the folders of a node that callers are pointed at. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PLUGINS } from '#cni/plugins/table.ts';
import { SHIM } from '#cni/testing/bed.ts';
import { innerPid, type Machine } from './machine.ts';

const PROGRAM = fileURLToPath(new URL('cni-server.ts', import.meta.url));
/** Debian's containernetworking-plugins. */
export const REFERENCE = '/usr/lib/cni';

/** The shim's own default: callers pass no setting of ours. */
const SOCKET = '/run/polder/cni.sock';

export interface CniServerProcess {
  /** As a crash. */
  kill(): Promise<void>;
  /** Starts it again with the same journal. */
  start(): Promise<void>;
  /** Stops and continues it, as a machine under load does. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** IDs of the containers that it holds addresses for. */
  containers(): Promise<string[]>;
}

export async function startServer(machine: Machine): Promise<CniServerProcess> {
  let child: ChildProcess | undefined;
  const server: CniServerProcess = {
    async start() {
      const state = join(machine.dir, 'agent');
      mkdirSync(state, { recursive: true });
      child = machine.start([process.execPath, PROGRAM, SOCKET, state]);
      child.stderr?.pipe(createWriteStream(join(machine.dir, 'agent.log'), { flags: 'a' }));
      assert.ok(child.stdout);
      const [said] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
      assert.equal(String(said).trim(), 'ready', 'the CNI server did not start');
    },
    async kill() {
      if (child === undefined) return;
      const gone = once(child, 'exit');
      process.kill(innerPid(child), 'SIGKILL');
      await gone;
      child = undefined;
    },
    signal(name) {
      if (child?.pid === undefined) return;
      process.kill(innerPid(child), name);
      // nsenter stops itself when its child stops.
      if (name === 'SIGCONT') process.kill(child.pid, name);
    },
    async containers() {
      assert.ok(child?.stdin && child.stdout, 'the CNI server is not running');
      child.stdin.write('\n');
      const [line] = await once(child.stdout, 'data');
      return (JSON.parse(String(line)) as { containerId: string }[]).map(({ containerId }) => containerId);
    },
  };
  await server.start();
  return server;
}

/**
 * The folder of executables: ours by their names, others by the reference's, and each of the reference's as `ref-…`
 * too. `recorded-polder` is ours behind a script that writes down what came.
 */
export function makeBin(machine: Machine): string {
  const bin = join(machine.dir, 'bin');
  mkdirSync(bin);
  const reference = existsSync(REFERENCE) ? readdirSync(REFERENCE) : [];
  for (const type of reference) symlinkSync(join(REFERENCE, type), join(bin, `ref-${type}`));
  useReference(bin, reference);
  useOurs(bin);
  const records = recordsOf(machine);
  mkdirSync(records);
  const script = `#!/bin/sh
at=${records}/$(date +%s%N)-$$
env >$at.env
tee $at.stdin | ${bin}/polder
`;
  writeFileSync(join(bin, 'recorded-polder'), script, { mode: 0o755 });
  return bin;
}

/** Our executables under the names of all types that we have. */
export function useOurs(bin: string): void {
  for (const type of PLUGINS.keys()) link(SHIM, join(bin, type));
}

/** The reference's executables under their own names. */
export function useReference(bin: string, types: readonly string[]): void {
  for (const type of types) link(join(REFERENCE, type), join(bin, type));
}

function link(target: string, path: string): void {
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

export function recordsOf(machine: Machine): string {
  return join(machine.dir, 'records');
}
