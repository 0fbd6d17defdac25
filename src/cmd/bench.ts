/**
 * `npm run bench -- NAME [PART…] [--json] [--out DIR]`: runs a benchmark of bench/ and prints what it measured; into DIR go the report
 * (JSON), a chart (SVG) and a page (HTML). Exit status 1 if a target was missed.
 */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chartSvg, pageHtml } from '#bench/chart.ts';
import { type Benchmark, type Report, report, table } from '#bench/harness.ts';

const FOLDER = new URL('../../bench/', import.meta.url);
/** Files of the folder that are no benchmark. */
const SHARED = new Set(['harness', 'chart']);

function names(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  return files.map((file) => file.slice(0, -'.ts'.length)).filter((name) => !SHARED.has(name));
}

async function load(name: string): Promise<Benchmark | undefined> {
  const file = new URL(`${name}.ts`, FOLDER);
  if (!/^[a-z][a-z0-9-]*$/.test(name) || SHARED.has(name) || !existsSync(file)) return undefined;
  const module = (await import(file.href)) as { benchmark?: Benchmark };
  return module.benchmark;
}

function write(folder: string, result: Report, text: string): void {
  mkdirSync(folder, { recursive: true });
  const svg = chartSvg(result);
  const files = { json: `${JSON.stringify(result, undefined, 2)}\n`, svg, html: pageHtml(result, svg, text) };
  for (const [kind, content] of Object.entries(files)) writeFileSync(join(folder, `${result.name}.${kind}`), content);
}

const OPTIONS = { json: { type: 'boolean' }, out: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;

/** @throws Error in words for the person */
function readArgs() {
  return parseArgs({ options: OPTIONS, allowPositionals: true });
}

async function usage(): Promise<string> {
  const all = await Promise.all(names().map(async (name) => `  ${name.padEnd(10)} ${(await load(name))?.about ?? ''}`));
  return [
    'Usage: polder bench NAME [PART…] [--json] [--out DIR]',
    '',
    'Measures beside a baseline in the same run; ends with status 1 if a target is missed.',
    '  --json       also print the report as one line of JSON',
    '  --out DIR    write the report (JSON), a chart (SVG) and a page (HTML) there',
    '',
    'NAME is one of:',
    ...all,
    '',
    'Examples:',
    '  polder bench cni-add',
    '  polder bench cni --out /tmp/report',
    '',
  ].join('\n');
}

async function refuse(what: string): Promise<number> {
  process.stderr.write(`polder bench: ${what}\n\n${await usage()}`);
  return 2;
}

async function main(): Promise<number> {
  let args: ReturnType<typeof readArgs>;
  try {
    args = readArgs();
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = args;
  if (values.help) {
    process.stdout.write(await usage());
    return 0;
  }
  const [name = '', ...parts] = positionals;
  const benchmark = await load(name);
  if (!benchmark) return refuse(name === '' ? 'a NAME is missing' : `there is no benchmark ${name}`);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const progress = (text: string) => void process.stderr.write(`${text}\n`);
  progress(`${benchmark.name}: ${benchmark.about}`);
  const result = await report(benchmark, { progress, signal: stop.signal, parts });
  const text = [table(result), benchmark.summary?.(result) ?? ''].filter((part) => part !== '').join('\n');
  process.stdout.write(text);
  if (values.out !== undefined) write(values.out, result, text);
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.cases.every((c) => c.met) ? 0 : 1;
}

process.exitCode = await main();
