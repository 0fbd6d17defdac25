/** Our executables without an agent: the call that starts a worker, and those that it then serves. */

import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Conf, confFileOf, SHIM, type Side } from '#bench/cni-add/sides.ts';
import { installAlone } from '#cni/daemonless/install.ts';
import { endWorkers } from '#cni/testing/alone.ts';

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
    endWorker: () => endWorkers(dir, dirname(socketPath)),
  };
}
