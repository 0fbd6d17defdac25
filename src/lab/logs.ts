/** The logs of a lab's programs. */

import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync, watch } from 'node:fs';
import { checkName, labPaths } from '#lab/names.ts';
import { logName } from '#lab/programs.ts';
import { requireLab } from '#lab/state.ts';
import { PolderError } from '#spec/errors.ts';

/** Names of all programs that have a log: `apiserver`, `node1/agent`. @throws PolderError 'no-lab' */
export function logNames(lab: string): string[] {
  requireLab(checkName('lab', lab));
  return readdirSync(labPaths(lab).logsDir)
    .filter((file) => file.endsWith('.log'))
    .map((file) => file.slice(0, -'.log'.length).replace(/\.([^.]*)$/, '/$1'))
    .sort();
}

/** @throws PolderError 'usage' that names the programs there are. */
export function logPath(lab: string, program: string): string {
  const names = logNames(lab);
  if (names.includes(program)) return `${labPaths(lab).logsDir}/${logName(program)}`;
  throw new PolderError('usage', { what: `Lab "${lab}" has no program "${program}"; it has ${names.join(', ')}.` });
}

export function lastLines(path: string, count: number): string {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.slice(Math.max(0, lines.length - 1 - count)).join('\n');
}

/** Hands on what is appended until the signal; begins anew when the file is put aside and a new one begun. */
export function followLog(path: string, tell: (text: string) => void, signal: AbortSignal): Promise<void> {
  let offset = statSync(path).size;
  return new Promise((resolve) => {
    const watcher = watch(path, () => {
      if (!existsSync(path)) return;
      const size = statSync(path).size;
      if (size < offset) offset = 0;
      tell(readPart(path, offset, size));
      offset = size;
    });
    const end = () => {
      watcher.close();
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
}

function readPart(path: string, from: number, to: number): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, to - from));
    const length = readSync(file, bytes, 0, bytes.length, from);
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}
