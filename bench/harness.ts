/** What every benchmark shares: measuring pair by pair, percentiles, the table and the one line of JSON. */

import { cpus, release, totalmem } from 'node:os';

/** A benchmark: a file of this folder that exports one as `benchmark`. */
export interface Benchmark {
  readonly name: string;
  /** One sentence: what it compares with what. */
  readonly about: string;
  run(bench: Bench): Promise<readonly Measured[]>;
  /** What a person wants to see of the report beside the table, as text. */
  summary?(report: Report): string;
}

export interface Bench {
  /** Says what is going on, to standard error. */
  progress(text: string): void;
  /** Keeps a sentence for the report: what could not be measured here, and why. */
  note(sentence: string): void;
  readonly signal: AbortSignal;
  /** Names of what is to be measured, where a benchmark has parts; empty: all. */
  readonly parts: readonly string[];
}

/** One case, as measured. Lower is better unless `better` says otherwise. */
export interface Measured {
  readonly case: string;
  readonly unit: string;
  readonly better?: 'lower' | 'higher';
  readonly ours: readonly number[];
  readonly baseline: { readonly name: string; readonly samples: readonly number[] };
  /** What `ours / baseline` is to be at most (at least, if higher is better), at this percentile. Absent: it is only shown. */
  readonly target?: number;
  readonly at?: 'p50' | 'p99';
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface CaseReport {
  readonly case: string;
  readonly unit: string;
  readonly ours: Percentiles;
  readonly baseline: Percentiles & { readonly name: string };
  readonly ratio: number;
  readonly better: 'lower' | 'higher';
  readonly target?: number;
  readonly met: boolean;
}

export interface Report {
  readonly name: string;
  readonly machine: string;
  readonly cases: readonly CaseReport[];
  readonly notes: readonly string[];
}

/** The value that `share` of the samples do not exceed (nearest rank). @throws RangeError without samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('Cannot take a percentile of no samples');
  return value;
}

/** For rates the bad end is the low one: p99 is what 99 % of the samples reach. */
function percentiles(samples: readonly number[], better: 'lower' | 'higher'): Percentiles {
  const at = (share: number): number => round(percentile(samples, better === 'lower' ? share : 1 - share));
  return { p50: round(percentile(samples, 0.5)), p95: at(0.95), p99: at(0.99) };
}

/** Four significant digits: more is noise. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

export function caseReport(m: Measured): CaseReport {
  const better = m.better ?? 'lower';
  const ours = percentiles(m.ours, better);
  const baseline = { name: m.baseline.name, ...percentiles(m.baseline.samples, better) };
  const at = m.at ?? 'p50';
  const ratio = round(ours[at] / baseline[at]);
  const { target } = m;
  const met = target === undefined || (better === 'lower' ? ratio <= target : ratio >= target);
  return { case: m.case, unit: m.unit, ours, baseline, ratio, better, ...(target !== undefined && { target }), met };
}

/**
 * Takes `pairs` samples of both, in turn: what slows the machine down for a while slows both down. Which goes first
 * changes from pair to pair.
 */
export async function pairwise(
  pairs: number,
  ours: (i: number) => Promise<number>,
  baseline: (i: number) => Promise<number>,
): Promise<{ ours: number[]; baseline: number[] }> {
  const samples = { ours: [] as number[], baseline: [] as number[] };
  for (let i = 0; i < pairs; i++) {
    if (i % 2 === 0) samples.ours.push(await ours(i));
    samples.baseline.push(await baseline(i));
    if (i % 2 === 1) samples.ours.push(await ours(i));
  }
  return samples;
}

/** Milliseconds that `run` takes. */
export async function timed(run: () => Promise<unknown> | unknown): Promise<number> {
  const from = performance.now();
  await run();
  return performance.now() - from;
}

/** What the figures were taken on. */
export function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${cpu?.model.trim() || process.arch}, ${memory} GiB, Linux ${release()}, Node ${process.version}`;
}

export async function report(benchmark: Benchmark, bench: Omit<Bench, 'note'>): Promise<Report> {
  const notes: string[] = [];
  const note = (sentence: string): void => void notes.push(sentence);
  const measured = await benchmark.run({ ...bench, note });
  return { name: benchmark.name, machine: machine(), cases: measured.map(caseReport), notes };
}

/** The report for a person. */
export function table({ name, machine: on, cases, notes }: Report): string {
  const head = ['case', 'unit', 'ours p50', 'p95', 'p99', 'baseline', 'p50', 'p99', 'ratio', 'target', ''];
  const rows = cases.map((c) => [
    c.case,
    c.unit,
    `${c.ours.p50}`,
    `${c.ours.p95}`,
    `${c.ours.p99}`,
    c.baseline.name,
    `${c.baseline.p50}`,
    `${c.baseline.p99}`,
    `${c.ratio}`,
    `${c.target ?? ''}`,
    c.target === undefined ? '' : c.met ? 'met' : 'MISSED',
  ]);
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[`${name} on ${on}`, line(head), ...rows.map(line), ...notes].join('\n')}\n`;
}
