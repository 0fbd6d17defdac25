/** Our executables without an agent: the call that starts a worker, and those that it then serves. */

import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Conf, confFileOf, SHIM, type Side } from '#bench/cni-add/sides.ts';
import { installAlone } from '#cni/daemonless/install.ts';
import { workersAt } from '#cni/testing/alone.ts';

export interface AloneSide extends Side {
  /** Waits until there is no worker: the next call is a first one. */
  endWorker(): Promise<void>;
}

/** @param dir a folder that is made, of this side only */
export function aloneSide(dir: string, conf: Conf): AloneSide {
  mkdirSync(dir);
  const program = join(dir, conf.type);
  symlinkSync(SHIM, program);
  installAlone(dir, { node: process.execPath });
  const socketPath = join(dir, 'run/cni.sock');
  return {
    name: 'polder, no agent',
    program,
    confFile: confFileOf(dir, conf),
    env: { POLDER_CNI_SOCKET: socketPath },
    async endWorker() {
      takeNames(dirname(socketPath));
      while (workersAt(dir).length > 0) await sleep(5);
    },
  };
}

/** A worker whose socket's name is gone ends. */
function takeNames(folder: string): void {
  for (const name of readdirSync(folder)) if (/\.sock\.[0-9a-f]+$/.test(name)) rmSync(join(folder, name));
}
