/** JUnit's XML, as continuous integration servers read it: a suite a plugin. */

import type { CaseResult } from '#cni/conformance/outcome.ts';
import type { SuiteResult } from '#cni/conformance/run.ts';

export function asJunit(result: SuiteResult): string {
  const suites = [...new Set(result.cases.map((one) => one.plugin))].map((plugin) =>
    suite(
      plugin,
      result.cases.filter((one) => one.plugin === plugin),
    ),
  );
  const counts = `tests="${result.cases.length}" failures="${result.failed}" skipped="${result.skipped}"`;
  const cutOff = result.cutOff ? `  ${properties({ cutOff: 'true' })}\n` : '';
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="cni" ${counts}>\n${cutOff}${suites.join('')}</testsuites>\n`;
}

function suite(plugin: string, cases: readonly CaseResult[]): string {
  const count = (status: string) => cases.filter((one) => one.status === status).length;
  const counts = `tests="${cases.length}" failures="${count('failed')}" skipped="${count('skipped')}"`;
  return `  <testsuite name="${xml(plugin)}" ${counts} time="${seconds(cases)}">\n${cases.map(testcase).join('')}  </testsuite>\n`;
}

function testcase(one: CaseResult): string {
  const head = `    <testcase classname="${xml(one.plugin)}" name="${xml(one.id)}" time="${seconds([one])}"`;
  const { level, section = '' } = one;
  return `${head}>${level === undefined ? '' : properties({ level, section })}${outcome(one)}</testcase>\n`;
}

function outcome(one: CaseResult): string {
  if (one.status === 'passed') return '';
  if (one.status === 'skipped') return `<skipped message="${xml(one.reason ?? '')}"/>`;
  const message = xml(`expected ${one.expected ?? ''}`);
  const failure = `<failure message="${message}">${xml(`${one.about}\nseen: ${one.seen ?? ''}`)}</failure>`;
  const calls = (one.calls ?? []).map((call) => xml(`${JSON.stringify(call)}\n`));
  return calls.length === 0 ? failure : `${failure}<system-out>${calls.join('')}</system-out>`;
}

function properties(values: Readonly<Record<string, string>>): string {
  const all = Object.entries(values).map(([name, value]) => `<property name="${name}" value="${xml(value)}"/>`);
  return `<properties>${all.join('')}</properties>`;
}

function seconds(cases: readonly CaseResult[]): string {
  return (cases.reduce((sum, one) => sum + one.ms, 0) / 1000).toFixed(3);
}

const MARKS: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\t': '&#9;',
  '\r': '&#13;',
};

/** What XML 1.0 has no way to write (§2.2, Char; and the C1 controls, which it advises against) becomes U+FFFD. */
function xml(text: string): string {
  return text.replaceAll(/[&<>"]|[\p{Cc}\p{Cs}\ufffe\uffff]/gu, (char) => MARKS[char] ?? '\ufffd');
}
