/** What runs of the suite gave, as it is kept in `docs/conformance-cni.json`, and the tables that are made of it. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CaseResult } from '#cni/conformance/outcome.ts';
import type { SetName } from '#test/conformance/sets.ts';

export const RESULTS = join(import.meta.dirname, '../../docs/conformance-cni.json');

/** Of one plugin type. Case names are without the type. */
export interface TypeResult {
  readonly cases: number;
  /** Of their names: tells that the suite has other cases by now. */
  readonly digest: string;
  readonly failed: readonly string[];
  /** By reason. */
  readonly skipped: Readonly<Record<string, readonly string[]>>;
}

export interface Run {
  /** Day, `2026-11-29`. */
  readonly taken: string;
  /** `uname -r`, without what is local to a machine. */
  readonly kernel: string;
  readonly types: Readonly<Record<string, TypeResult>>;
}

export const PLACES = ['here', 'debian'] as const;
export type Place = (typeof PLACES)[number];

/** On the kernel at hand, and on Debian's in a virtual machine. */
export type Results = Readonly<Record<Place, Readonly<Record<SetName, Run>>>>;

/** What of a case counts. */
export type Outcome = Pick<CaseResult, 'id' | 'status' | 'reason'>;

export function readResults(): Results {
  return JSON.parse(readFileSync(RESULTS, 'utf8'));
}

/** @param outcomes of one type */
export function typeResult(outcomes: readonly Outcome[]): TypeResult {
  const names = outcomes.map(({ id }) => caseOf(id)).sort();
  const failed = outcomes.filter(({ status }) => status === 'failed').map(({ id }) => caseOf(id));
  const skipped: Record<string, string[]> = {};
  for (const { id, status, reason = '' } of outcomes) {
    if (status !== 'skipped') continue;
    skipped[reason] = [...(skipped[reason] ?? []), caseOf(id)].sort();
  }
  return { cases: names.length, digest: digestOf(names), failed: failed.sort(), skipped };
}

/** @param names of cases, without their type */
export function digestOf(names: readonly string[]): string {
  return createHash('sha256').update(names.toSorted().join('\n')).digest('hex').slice(0, 12);
}

export function typeOf(id: string): string {
  return id.split('/')[0] ?? '';
}

export function caseOf(id: string): string {
  return id.slice(typeOf(id).length + 1);
}

/**
 * Cases that did not end as is kept, each as a line. Another machine may lack what this one had, and have what it lacked:
 * what was skipped then or is now says nothing, but that ours fails.
 */
export function endedOtherwise(
  place: Place,
  set: SetName,
  { cases }: { readonly cases: readonly Outcome[] },
): string[] {
  const { types } = readResults()[place][set];
  return cases.flatMap(({ id, status }) => {
    const kept = types[typeOf(id)];
    const wanted = kept && statusIn(kept, caseOf(id));
    if (wanted === undefined || wanted === status || status === 'skipped') return [];
    if (wanted === 'skipped' && (status === 'passed' || set === 'reference')) return [];
    return [`${id}: ${status}, not ${wanted}`];
  });
}

function statusIn({ failed, skipped }: TypeResult, name: string): Outcome['status'] {
  if (failed.includes(name)) return 'failed';
  return Object.values(skipped).flat().includes(name) ? 'skipped' : 'passed';
}

function counts({ cases, failed, skipped }: TypeResult): [number, number, number] {
  const left = Object.values(skipped).flat().length;
  return [cases - failed.length - left, failed.length, left];
}

/** A table in Markdown: a row a type, passed / failed / skipped of each set. */
export function resultsTable(runs: Results[Place]): string {
  const types = [...new Set([...Object.keys(runs.polder.types), ...Object.keys(runs.reference.types)])].sort();
  const cell = ({ types: all }: Run, type: string) => all[type] && counts(all[type]).join(' / ');
  const rows = types.map(
    (type) => `| \`${type}\` | ${cell(runs.reference, type) ?? 'not there'} | ${cell(runs.polder, type)} |`,
  );
  const sum = (run: Run) =>
    Object.values(run.types)
      .map(counts)
      .reduce((a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]], [0, 0, 0])
      .join(' / ');
  const all = `| all | **${sum(runs.reference)}** | **${sum(runs.polder)}** |`;
  return ['| plugin | reference 1.1.1 | Polder |', '|---|---|---|', ...rows, all].join('\n');
}
