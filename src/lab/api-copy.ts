/** The store of a lab's API as a file, and back. */

import {
  chmodSync,
  closeSync,
  copyFileSync,
  createWriteStream,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { Transport } from '#feed/transport.ts';
import { labPaths } from '#lab/names.ts';
import { isAlive, type ProcessId, readPidFile, signalProcess } from '#lab/process.ts';
import { labClient, whenFile } from '#lab/ready.ts';
import { requireLab } from '#lab/state.ts';
import { BACKUP_PATH } from '#serve/api/backup.ts';
import { type BackupSummary, checkBackup, RESTORE_FILE } from '#serve/api/store/restore.ts';
import { CONFIG_MAPS } from '#spec/k8s.ts';

/**
 * Writes a copy of the running lab's API, its owner's alone: Secrets are in it. The file appears whole or not at all.
 * @throws PolderError no-lab, Error if the API does not answer
 */
export async function backupApi(lab: string, file: string, signal: AbortSignal): Promise<BackupSummary> {
  requireLab(lab);
  const { kubeconfig } = labPaths(lab);
  await whenFile(kubeconfig, signal);
  const unfinished = `${file}.new`;
  try {
    using transport = new Transport(loadKubeconfig(kubeconfig));
    const answer = await transport.open({ method: 'GET', path: BACKUP_PATH, signal }, 'stream');
    if (answer.statusCode !== 200) throw new Error(`Cannot back up the API: it answers ${answer.statusCode}`);
    await pipeline(answer, createWriteStream(unfinished, { mode: 0o600 }), { signal });
    return finish(unfinished, file);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/**
 * Gives the lab's API the state of a backup: its server is ended, and started again by the lab's supervisor with that.
 * Returns when it answers. Once the copy waits in the lab's folder, whatever starts the server next completes it.
 * @throws PolderError no-lab, backup-unusable, store-newer (nothing is changed)
 */
export async function restoreApi(lab: string, file: string, signal: AbortSignal): Promise<BackupSummary> {
  requireLab(lab);
  const paths = labPaths(lab);
  const waiting = join(paths.dir, RESTORE_FILE);
  const summary = takeCopy(file, waiting);
  const server = readPidFile(`${paths.runDir}/apiserver.pid`);
  if (server !== undefined) await end(server, signal);
  using client = await labClient(lab, signal);
  await client.list(CONFIG_MAPS, { namespace: 'kube-system', signal });
  return summary;
}

function takeCopy(file: string, waiting: string): BackupSummary {
  const unfinished = `${waiting}.new`;
  try {
    copyFileSync(file, unfinished);
    chmodSync(unfinished, 0o600);
    return finish(unfinished, waiting);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** Looks at the copy before it takes its name: so a copy of that name is a good one. */
function finish(unfinished: string, file: string): BackupSummary {
  const summary = checkBackup(unfinished);
  const fd = openSync(unfinished, 'r+');
  fsyncSync(fd);
  closeSync(fd);
  renameSync(unfinished, file);
  return summary;
}

const END_MS = 5000;
const LOOK_MS = 20;

/** Another's child: it can only be looked at. */
async function end(process: ProcessId, signal: AbortSignal): Promise<void> {
  signalProcess(process, 'SIGTERM');
  const late = Date.now() + END_MS;
  while (isAlive(process)) {
    if (Date.now() > late) signalProcess(process, 'SIGKILL');
    await setTimeout(LOOK_MS, undefined, { signal });
  }
}
