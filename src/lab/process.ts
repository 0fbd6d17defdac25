/**
 * Processes that outlive the command that started them, known by process id *and* start time: an id alone may have
 * been given to somebody else since.
 */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks from boot to its start (proc_pid_stat(5), field 22). */
  readonly started: string;
}

/** Undefined if there is no such process, or only its corpse. */
export function processId(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the command in parentheses and may hold anything, so count from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const started = fields[19];
    return fields[0] === 'Z' || fields[0] === 'X' || started === undefined ? undefined : { pid, started };
  } catch {
    return undefined;
  }
}

/** Linux counts process start times in these, whatever its own clock does (USER_HZ). */
const TICK_MS = 10;

/** When the process started, ms since the epoch, to some 10 ms. */
export function startTime({ started }: ProcessId): number {
  const upMs = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000;
  return Math.round(Date.now() - upMs + Number(started) * TICK_MS);
}

export function isAlive(id: ProcessId): boolean {
  return processId(id.pid)?.started === id.started;
}

/** Sends the signal if it is still the same process. True if it was. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false;
  try {
    process.kill(id.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Written by rename, so that a reader never sees half of it. */
export function writePidFile(file: string, id: ProcessId): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${id.pid} ${id.started}\n`);
  renameSync(`${file}.new`, file);
}

/** The process that the file names, if it is still there. */
export function readPidFile(file: string): ProcessId | undefined {
  try {
    const [pid, started] = readFileSync(file, 'utf8').trim().split(' ');
    const id = processId(Number(pid));
    return id !== undefined && id.started === started ? id : undefined;
  } catch {
    return undefined;
  }
}

export function removePidFile(file: string): void {
  rmSync(file, { force: true });
}
