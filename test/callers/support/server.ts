/** Our CNI server and the folders of a node that callers are pointed at. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
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
  /** Starts it again with the same journal; with the other attachment, if one is given. */
  start(attachment?: 'routed' | 'bridge'): Promise<void>;
}

export async function startServer(machine: Machine): Promise<CniServerProcess> {
  let child: ChildProcess | undefined;
  const server: CniServerProcess = {
    async start(attachment = 'routed') {
      const state = join(machine.dir, 'agent');
      mkdirSync(state, { recursive: true });
      child = machine.start([process.execPath, PROGRAM, SOCKET, state, attachment]);
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
  for (const type of PLUGINS.keys()) symlinkSync(SHIM, join(bin, type));
  for (const type of existsSync(REFERENCE) ? readdirSync(REFERENCE) : []) {
    if (!PLUGINS.has(type)) symlinkSync(join(REFERENCE, type), join(bin, type));
    symlinkSync(join(REFERENCE, type), join(bin, `ref-${type}`));
  }
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

export function recordsOf(machine: Machine): string {
  return join(machine.dir, 'records');
}
