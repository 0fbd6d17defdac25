/** Starting a lab's supervisor, and talking to it. */

import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, watch } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname } from 'node:path';
import { enterGroup, machineHierarchies, programsGroup } from '#lab/cgroup.ts';
import { labPaths } from '#lab/names.ts';
import { type ProcessId, processId, readPidFile, writePidFile } from '#lab/process.ts';
import { entryFile } from '#lab/programs.ts';
import { programEnv } from '#lab/supervisor/effects.ts';
import { SUPERVISOR_PID, type SupervisorAnswer, type SupervisorRequest } from '#lab/supervisor/protocol.ts';

const START_MS = 10_000;

/** The supervisor's process, if it runs. */
export function supervisorProcess(lab: string): ProcessId | undefined {
  return readPidFile(`${labPaths(lab).runDir}/${SUPERVISOR_PID}`);
}

/** Starts the supervisor if none runs. The caller holds the lab's lock. */
export function ensureSupervisor(lab: string, compileCache: string): void {
  if (supervisorProcess(lab) !== undefined) return;
  const paths = labPaths(lab);
  mkdirSync(paths.logsDir, { recursive: true });
  const log = openSync(`${paths.logsDir}/supervisor.log`, 'a');
  try {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', entryFile('polder'), 'lab', 'supervise', '--name', lab],
      { stdio: ['ignore', log, log], env: programEnv(compileCache), detached: true, cwd: '/' },
    );
    child.unref();
    const id = child.pid === undefined ? undefined : processId(child.pid);
    if (id === undefined) throw new Error(`Cannot start the supervisor: ${process.execPath} does not run`);
    const { unified } = machineHierarchies();
    if (unified !== undefined) enterGroup(unified, programsGroup(paths.cgroup), id.pid);
    // Here, not only by itself: so it is known from its first instant, whatever happens to us next.
    writePidFile(`${paths.runDir}/${SUPERVISOR_PID}`, id);
  } finally {
    closeSync(log);
  }
}

/** Asks the supervisor, waiting up to `startMs` for its socket if it has just been started. @throws Error if it ends or does not answer. */
export async function askSupervisor(
  lab: string,
  request: SupervisorRequest,
  startMs = START_MS,
): Promise<SupervisorAnswer> {
  const { supervisorSocket } = labPaths(lab);
  const answer = (await ask(supervisorSocket, request)) ?? (await afterChange(supervisorSocket, request, startMs));
  if (answer === undefined) throw new Error(`Cannot reach the supervisor of lab ${lab} at ${supervisorSocket}`);
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}

/** What the supervisor says of its programs; undefined if none runs. */
export async function supervisorStatus(lab: string): Promise<SupervisorAnswer | undefined> {
  return ask(labPaths(lab).supervisorSocket, { do: 'status' });
}

/** Tries again at each change in the socket's folder until it answers. */
async function afterChange(
  path: string,
  request: SupervisorRequest,
  startMs: number,
): Promise<SupervisorAnswer | undefined> {
  mkdirSync(dirname(path), { recursive: true });
  const until = Date.now() + startMs;
  while (Date.now() < until) {
    const answer = await ask(path, request);
    if (answer !== undefined) return answer;
    await changed(path, Math.min(until - Date.now(), 100));
  }
  return undefined;
}

function changed(path: string, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      watcher.close();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const watcher = watch(dirname(path), (_, name) => {
      if (name === basename(path)) done();
    });
  });
}

/** Undefined if nobody listens. */
function ask(path: string, request: SupervisorRequest): Promise<SupervisorAnswer | undefined> {
  if (!existsSync(path)) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(path);
    socket.on('connect', () => socket.end(`${JSON.stringify(request)}\n`));
    socket.on('data', (data) => {
      said += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(said === '' ? undefined : (JSON.parse(said) as SupervisorAnswer)));
  });
}
