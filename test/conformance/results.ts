/** What runs of the suite gave, as it is kept in `docs/conformance-cni.json`, and the tables that are made of it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CaseResult } from '#cni/conformance/outcome.ts';
import type { SetName } from '#test/conformance/sets.ts';

export const RESULTS = join(import.meta.dirname, '../../docs/conformance-cni.json');

/** Of one plugin type. Case names are without the type, in order. */
export interface TypeResult {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** By reason. */
  readonly skipped: Readonly<Record<string, readonly string[]>>;
  /** Cases of the suite that no run has come to. */
  readonly untried?: readonly string[];
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

/** Which sets are tried at each place: on Debian's kernel in a virtual machine time is short. */
export const PLACE_SETS = {
  here: ['reference', 'polder', 'alone'],
  debian: ['reference', 'polder'],
} as const satisfies Record<Place, readonly SetName[]>;

/** Of `alone` there is none on Debian's kernel. */
export type PlaceResults = Readonly<Record<'reference' | 'polder', Run>> & { readonly alone?: Run };
export type Results = Readonly<Record<Place, PlaceResults>>;

/** What of a case counts. */
export type Outcome = Pick<CaseResult, 'id' | 'status' | 'reason'>;

export function readResults(): Results {
  return JSON.parse(readFileSync(RESULTS, 'utf8'));
}

/** @param outcomes of one type @param listed names of all its cases */
export function typeResult(outcomes: readonly Outcome[], listed: readonly string[]): TypeResult {
  const named = (wanted: Outcome['status']) =>
    outcomes
      .filter(({ status }) => status === wanted)
      .map(({ id }) => caseOf(id))
      .sort();
  const skipped: Record<string, string[]> = {};
  for (const { id, status, reason = '' } of outcomes) {
    if (status !== 'skipped') continue;
    skipped[reason] = [...(skipped[reason] ?? []), caseOf(id)].sort();
  }
  const reasons = Object.entries(skipped).sort(([a], [b]) => (a < b ? -1 : 1));
  const tried = new Set(outcomes.map(({ id }) => caseOf(id)));
  const untried = listed.filter((name) => !tried.has(name)).sort();
  return {
    passed: named('passed'),
    failed: named('failed'),
    skipped: Object.fromEntries(reasons),
    ...(untried.length > 0 && { untried }),
  };
}

/** What is kept of a type, as it was taken. */
export function outcomesOf(type: string, { passed, failed, skipped }: TypeResult): Outcome[] {
  const of = (status: Outcome['status'], names: readonly string[], reason?: string) =>
    names.map((name): Outcome => ({ id: `${type}/${name}`, status, ...(reason && { reason }) }));
  const left = Object.entries(skipped).flatMap(([reason, names]) => of('skipped', names, reason));
  return [...of('passed', passed), ...of('failed', failed), ...left];
}

/** Names of all cases that the suite had then, in order. */
export function namesOf(result: TypeResult): string[] {
  return [...outcomesOf('', result).map(({ id }) => caseOf(id)), ...(result.untried ?? [])].sort();
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
  const { types = {} } = readResults()[place][set] ?? {};
  return cases.flatMap(({ id, status }) => {
    const kept = types[typeOf(id)];
    const wanted = kept && outcomesOf(typeOf(id), kept).find((one) => one.id === id)?.status;
    if (wanted === undefined || wanted === status || status === 'skipped') return [];
    if (wanted === 'skipped' && (status === 'passed' || set === 'reference')) return [];
    return [`${id}: ${status}, not ${wanted}`];
  });
}

type Counts = readonly [passed: number, failed: number, skipped: number, untried: number];

function counts({ passed, failed, skipped, untried = [] }: TypeResult): Counts {
  return [passed.length, failed.length, Object.values(skipped).flat().length, untried.length];
}

function countsText([passed, failed, skipped, untried]: Counts): string {
  return `${passed} / ${failed} / ${skipped}${untried === 0 ? '' : `, ${untried} not tried`}`;
}

/** How the tables name each set. */
export const SET_NAMES: Readonly<Record<SetName, string>> = {
  reference: 'reference 1.1.1',
  polder: 'Polder',
  alone: 'Polder, no agent',
};

/** What they say of a type that it has not. */
const NONE: Readonly<Record<SetName, string>> = { reference: 'not there', polder: 'not tried', alone: 'needs one' };

/** A table in Markdown: a row a type, passed / failed / skipped of each set. */
export function resultsTable(place: Place, runs: PlaceResults): string {
  const sets = PLACE_SETS[place];
  const types = [...new Set([...Object.keys(runs.polder.types), ...Object.keys(runs.reference.types)])].sort();
  const cell = (run: Run | undefined, type: string) => run?.types[type] && countsText(counts(run.types[type]));
  const rows = types.map(
    (type) => `| \`${type}\` | ${sets.map((set) => cell(runs[set], type) ?? NONE[set]).join(' | ')} |`,
  );
  const sum = (run: Run | undefined) =>
    countsText(
      Object.values(run?.types ?? {})
        .map(counts)
        .reduce((a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]], [0, 0, 0, 0]),
    );
  const all = `| all | ${sets.map((set) => `**${sum(runs[set])}**`).join(' | ')} |`;
  const head = `| plugin | ${sets.map((set) => SET_NAMES[set]).join(' | ')} |`;
  return [head, `|---|${sets.map(() => '---|').join('')}`, ...rows, all].join('\n');
}
