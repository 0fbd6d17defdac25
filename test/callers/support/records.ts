/** What the recording script wrote down of each call. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isObject, type JsonObject } from '#wire/cni/json.ts';
import type { Machine } from './machine.ts';
import { recordsOf } from './server.ts';

export interface CallRecord {
  /** CNI_* only. */
  readonly env: Readonly<Record<string, string>>;
  /** Undefined if it was empty. */
  readonly stdin: JsonObject | undefined;
}

const SAMPLES = fileURLToPath(new URL('../../../src/wire/cni/samples/', import.meta.url));

/** A sample as if it had been recorded now. */
export function readSample(name: string): CallRecord {
  return JSON.parse(readFileSync(join(SAMPLES, `${name}.json`), 'utf8'));
}

/** What of a call does not change from run to run: its keys, and the types of their values. */
export function shapeOf({ env, stdin }: CallRecord): object {
  const args = (env.CNI_ARGS ?? '').split(';').map((pair) => pair.replace(/=.*/, ''));
  const filled = Object.entries(env).map(([name, value]) => `${name}${value === '' ? ' is empty' : ''}`);
  return { command: env.CNI_COMMAND, env: filled.sort(), args: args.sort(), stdin: shape(stdin) };
}

function shape(value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value.map((item) => JSON.stringify(shape(item))))].sort();
  if (!isObject(value)) return typeof value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, shape(value[key])]));
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
