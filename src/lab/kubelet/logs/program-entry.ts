/** Lines of a program of the lab as entries of a log: JSON lines with their `time` in ms, and whatever else it prints. */

import type { LogEntry } from '#lab/kubelet/logs/entry.ts';
import type { ReadEntry } from '#lab/kubelet/logs/follow.ts';

/** Times of a run of the program, ms since the epoch: from, and up to (not with). */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/**
 * Reads the lines of one run, in their order: the file has all runs one behind the other. A line without a time (a
 * stack trace, a warning of the runtime) is of the time of the line before.
 */
export function programEntries({ from, to }: Run): ReadEntry {
  let time = 0;
  return (line): LogEntry | undefined => {
    time = timeOf(line) ?? time;
    if (time < from || time >= to) return undefined;
    return { time: new Date(time).toISOString(), stream: 'stderr', partial: false, text: line };
  };
}

function timeOf(line: string): number | undefined {
  const found = /^\{.*?"time":(\d{12,14})[,}]/.exec(line)?.[1];
  return found === undefined ? undefined : Number(found);
}
