/** What the recording script wrote down of each call. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '#wire/cni/json.ts';
import type { Machine } from './machine.ts';
import { recordsOf } from './server.ts';

export interface CallRecord {
  /** CNI_* only. */
  readonly env: Readonly<Record<string, string>>;
  /** Undefined if it was empty. */
  readonly stdin: JsonObject | undefined;
}

/** In the order in which they came. */
export function readRecords(machine: Machine): CallRecord[] {
  const dir = recordsOf(machine);
  const names = readdirSync(dir).filter((name) => name.endsWith('.env'));
  return names.sort().map((name) => {
    const stdin = readFileSync(join(dir, name.replace(/env$/, 'stdin')), 'utf8');
    return { env: readEnv(join(dir, name)), stdin: stdin === '' ? undefined : JSON.parse(stdin) };
  });
}

function readEnv(path: string): Record<string, string> {
  const lines = readFileSync(path, 'utf8').split('\n');
  const pairs = lines.filter((line) => line.startsWith('CNI_')).map((line) => /^(\w+)=(.*)$/.exec(line));
  return Object.fromEntries(pairs.map((match) => [match?.[1] ?? '', match?.[2] ?? '']));
}
