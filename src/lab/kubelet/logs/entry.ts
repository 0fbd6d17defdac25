/** Lines of a container's log file, in the CRI's format: "TIME stdout|stderr F|P TEXT". */

export interface LogEntry {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** The line goes on in the next entry. */
  readonly partial: boolean;
  readonly text: string;
}

/** Undefined for a line that is no entry (cut off by a full disk). */
export function readEntry(line: string): LogEntry | undefined {
  const match = /^(\S+) (stdout|stderr) ([FP])(?::\S+)? ?(.*)$/s.exec(line);
  if (match === null) return undefined;
  const [, time = '', stream, tag, text = ''] = match;
  return { time, stream: stream === 'stderr' ? 'stderr' : 'stdout', partial: tag === 'P', text };
}

export interface LogQuery {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  /** Whole lines from the end. */
  readonly tailLines?: number;
  /** ms since the epoch. */
  readonly since?: number;
  readonly limitBytes?: number;
}

/** @throws RangeError, as what the client asked for cannot be */
export function logQuery(params: URLSearchParams, now: number): LogQuery {
  const flag = (name: string) => /^(?:true|1|)$/.test(params.get(name) ?? 'false');
  const count = (name: string) => {
    const text = params.get(name);
    if (text === null || text === '') return undefined;
    if (!/^\d+$/.test(text)) throw new RangeError(`Cannot take ${name}=${text}: it is a whole number`);
    return Number(text);
  };
  const tailLines = count('tailLines');
  const limitBytes = count('limitBytes');
  const since = sinceOf(params, count('sinceSeconds'), now);
  return {
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(since === undefined ? {} : { since }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  };
}

function sinceOf(params: URLSearchParams, seconds: number | undefined, now: number): number | undefined {
  if (seconds !== undefined) return now - seconds * 1000;
  const text = params.get('sinceTime');
  if (text === null || text === '') return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new RangeError(`Cannot take sinceTime=${text}: it is a time as RFC 3339 writes it`);
  return time;
}

/** Turns entries into what the client gets; remembers whether it stands in the middle of a line. */
export class LogPrinter {
  readonly #query: Pick<LogQuery, 'timestamps' | 'since'>;
  #inLine = false;

  constructor(query: Pick<LogQuery, 'timestamps' | 'since'>) {
    this.#query = query;
  }

  print(entry: LogEntry): string {
    if (this.#query.since !== undefined && Date.parse(entry.time) < this.#query.since) return '';
    const head = this.#query.timestamps && !this.#inLine ? `${entry.time} ` : '';
    this.#inLine = entry.partial;
    return `${head}${entry.text}${entry.partial ? '' : '\n'}`;
  }
}

/** The last `count` whole lines; a line may be of several entries. */
export function lastLines(entries: readonly LogEntry[], count: number): LogEntry[] {
  let lines = 0;
  let start = entries.length;
  while (start > 0) {
    const isEndOfLine = entries[start - 1]?.partial === false || start === entries.length;
    if (isEndOfLine && lines++ === count) break;
    start--;
  }
  return entries.slice(start);
}
