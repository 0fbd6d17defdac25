/** Test Anything Protocol, version 14, with YAML diagnostics. */

import type { CaseResult } from '#cni/conformance/outcome.ts';
import type { SuiteResult } from '#cni/conformance/run.ts';

export function asTap(result: SuiteResult): string {
  const lines = result.cases.flatMap((one, i) => point(one, i + 1));
  const end = result.cutOff ? ['Bail out! The run was cut off.'] : [];
  return `${['TAP version 14', `1..${result.cases.length}`, ...lines, ...end].join('\n')}\n`;
}

function point(one: CaseResult, number: number): string[] {
  const name = one.id.replaceAll('#', '\\#');
  if (one.status === 'skipped') return [`ok ${number} - ${name} # SKIP ${line(one.reason)}`];
  if (one.status === 'passed') return [`ok ${number} - ${name}`];
  return [
    `not ok ${number} - ${name}`,
    '  ---',
    `  about: ${JSON.stringify(one.about)}`,
    `  version: ${JSON.stringify(one.version)}`,
    `  expected: ${JSON.stringify(one.expected ?? '')}`,
    `  seen: ${JSON.stringify(one.seen ?? '')}`,
    '  ...',
  ];
}

function line(text = ''): string {
  return text.replaceAll(/\s+/g, ' ');
}
