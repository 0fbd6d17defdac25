/** The result for people: a line a plugin, then each failure with what was expected and seen. */

import { LEVELS } from '#cni/conformance/levels.ts';
import type { CaseResult } from '#cni/conformance/outcome.ts';
import { printable } from '#cni/conformance/report/printable.ts';
import type { SuiteResult } from '#cni/conformance/run.ts';

const HEAD = ['PLUGIN', 'PASSED', 'FAILED', 'SKIPPED', `FAILED ${LEVELS.join('/').toUpperCase()}`, 'WHY SKIPPED'];

export function asTable(result: SuiteResult): string {
  const plugins = [...new Set(result.cases.map((one) => one.plugin))];
  const rows = plugins.map((plugin) => {
    const own = result.cases.filter((one) => one.plugin === plugin);
    const count = (status: string) => String(own.filter((one) => one.status === status).length);
    const counts = [count('passed'), count('failed'), count('skipped'), failedByLevel(own).join('/')];
    return [plugin, ...counts, skipReason(own)].map(oneLine);
  });
  const failures = result.cases.filter((one) => one.status === 'failed').map(failure);
  const cutOff = result.cutOff ? 'CUT OFF: what is told as not tried may fail.\n' : '';
  return `${columns([HEAD, ...rows])}${failures.join('')}\n${sum(result)}${cutOff}`;
}

function sum(result: SuiteResult): string {
  const levels = failedByLevel(result.cases).map((count, i) => `${count} ${LEVELS[i]}`);
  const failed = result.failed === 0 ? '0 failed' : `${result.failed} failed (${levels.join(', ')})`;
  return `${result.passed} passed, ${failed}, ${result.skipped} skipped\n`;
}

function failedByLevel(cases: readonly CaseResult[]): number[] {
  return LEVELS.map((level) => cases.filter((one) => one.status === 'failed' && one.level === level).length);
}

function skipReason(cases: readonly CaseResult[]): string {
  return [...new Set(cases.flatMap((one) => one.reason ?? []))].join('; ');
}

/** All of it stands in the other forms. */
const LONGEST = 1200;

function failure(one: CaseResult): string {
  const level = one.level === undefined ? '' : `, ${one.level}: ${one.section}`;
  const { seen = '' } = one;
  const cut = seen.length > LONGEST ? `${seen.slice(0, LONGEST)} … (all of it: --json)` : seen;
  const lines = [
    `FAILED ${one.id} (CNI ${one.version}${level})`,
    `  ${one.about}`,
    `  expected: ${one.expected ?? ''}`,
    `  seen:     ${cut.replaceAll('\n', '\n            ')}`,
  ];
  return `\n${printable(lines.join('\n'))}\n`;
}

function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' '));
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}
