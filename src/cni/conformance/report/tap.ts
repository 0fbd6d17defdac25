/** Test Anything Protocol, version 13 (that of Debian 12's prove), with YAML diagnostics. */

import type { CaseResult } from '#cni/conformance/outcome.ts';
import { printable } from '#cni/conformance/report/printable.ts';
import type { SuiteResult } from '#cni/conformance/run.ts';

export function asTap(result: SuiteResult): string {
  const lines = result.cases.flatMap((one, i) => [...point(one, i + 1), ...level(one)]);
  const end = result.cutOff ? ['Bail out! The run was cut off.'] : [];
  return `${['TAP version 13', `1..${result.cases.length}`, ...lines, ...end].join('\n')}\n`;
}

/** YAML goes only with what failed: for all others a comment. */
function level(one: CaseResult): string[] {
  return one.level === undefined ? [] : [`# ${one.level}: ${one.section}`];
}

function point(one: CaseResult, number: number): string[] {
  const name = line(one.id).replaceAll('#', '\\#');
  if (one.status === 'skipped') return [`ok ${number} - ${name} # SKIP ${line(one.reason)}`];
  if (one.status === 'passed') return [`ok ${number} - ${name}`];
  return [
    `not ok ${number} - ${name}`,
    '  ---',
    ...(['about', 'version', 'level', 'section', 'expected', 'seen'] as const).map(
      (key) => `  ${key}: ${quoted(one[key] ?? '')}`,
    ),
    ...(one.calls ?? []).map((call, i) => `  call_${i + 1}: ${quoted(JSON.stringify(call))}`),
    '  ...',
  ];
}

/** YAML reads JSON's texts. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) =>
    [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );
}

function line(text = ''): string {
  return printable(text.replaceAll(/\s+/g, ' '));
}
