/** The result for people: a line a plugin, then each failure with what was expected and seen. */

import type { CaseResult } from '#cni/conformance/outcome.ts';
import type { SuiteResult } from '#cni/conformance/run.ts';

export function asTable(result: SuiteResult): string {
  const plugins = [...new Set(result.cases.map((one) => one.plugin))];
  const rows = plugins.map((plugin) => {
    const own = result.cases.filter((one) => one.plugin === plugin);
    const count = (status: string) => String(own.filter((one) => one.status === status).length);
    return [plugin, count('passed'), count('failed'), count('skipped'), skipReason(own)];
  });
  const failures = result.cases.filter((one) => one.status === 'failed').map(failure);
  const sum = `${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped\n`;
  return `${columns([['PLUGIN', 'PASSED', 'FAILED', 'SKIPPED', 'WHY SKIPPED'], ...rows])}${failures.join('')}\n${sum}${result.cutOff ? 'CUT OFF: what is told as not tried may fail.\n' : ''}`;
}

function skipReason(cases: readonly CaseResult[]): string {
  return [...new Set(cases.flatMap((one) => one.reason ?? []))].join('; ');
}

function failure(one: CaseResult): string {
  const lines = [`\nFAILED ${one.id} (CNI ${one.version})`, `  ${one.about}`, `  expected: ${one.expected}`];
  return `${[...lines, `  seen:     ${(one.seen ?? '').replaceAll('\n', '\n            ')}`].join('\n')}\n`;
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
