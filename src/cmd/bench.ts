/** `npm run bench -- NAME [--json]`: runs a benchmark of bench/ and prints what it measured. Exit status 1 if a target was missed. */

import { existsSync, readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Benchmark, report, table } from '#bench/harness.ts';

const FOLDER = new URL('../../bench/', import.meta.url);

function names(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  return files.map((file) => file.slice(0, -'.ts'.length)).filter((name) => name !== 'harness');
}

async function load(name: string): Promise<Benchmark | undefined> {
  const file = new URL(`${name}.ts`, FOLDER);
  if (!/^[a-z][a-z0-9-]*$/.test(name) || name === 'harness' || !existsSync(file)) return undefined;
  const module = (await import(file.href)) as { benchmark?: Benchmark };
  return module.benchmark;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true });
  const [name = ''] = positionals;
  const benchmark = await load(name);
  if (!benchmark) {
    process.stderr.write(`usage: npm run bench -- NAME [--json]\n\nNAME is one of: ${names().join(', ')}\n`);
    return 2;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const progress = (text: string) => void process.stderr.write(`${text}\n`);
  progress(`${benchmark.name}: ${benchmark.about}`);
  const result = await report(benchmark, { progress, signal: stop.signal });
  process.stdout.write(table(result));
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.cases.every((c) => c.met) ? 0 : 1;
}

process.exitCode = await main();
