/** Processes that an earlier life of this kubelet started: found by PID, known by what stands in their command line. */

import { readFileSync } from 'node:fs';

/** Whether the process lives (a zombie does not) and its command line holds `label`: PIDs are given again. */
export function isAlive(pid: number, label: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes(label);
  } catch {
    return false;
  }
}

/** Sends the signal; false if there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Number in a file that holds one, such as a PID file. */
export function readPid(text: string | undefined): number | undefined {
  const pid = Number.parseInt(text ?? '', 10);
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}
