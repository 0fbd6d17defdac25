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
  const cutOff = result.cutOff ? '  <properties><property name="cutOff" value="true"/></properties>\n' : '';
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="cni" ${counts}>\n${cutOff}${suites.join('')}</testsuites>\n`;
}

function suite(plugin: string, cases: readonly CaseResult[]): string {
  const count = (status: string) => cases.filter((one) => one.status === status).length;
  const counts = `tests="${cases.length}" failures="${count('failed')}" skipped="${count('skipped')}"`;
  return `  <testsuite name="${xml(plugin)}" ${counts} time="${seconds(cases)}">\n${cases.map(testcase).join('')}  </testsuite>\n`;
}

function testcase(one: CaseResult): string {
  const head = `    <testcase classname="${xml(one.plugin)}" name="${xml(one.id)}" time="${seconds([one])}"`;
  if (one.status === 'passed') return `${head}/>\n`;
  if (one.status === 'skipped') return `${head}><skipped message="${xml(one.reason ?? '')}"/></testcase>\n`;
  const message = xml(`expected ${one.expected ?? ''}`);
  return `${head}><failure message="${message}">${xml(`${one.about}\nseen: ${one.seen ?? ''}`)}</failure></testcase>\n`;
}

function seconds(cases: readonly CaseResult[]): string {
  return (cases.reduce((sum, one) => sum + one.ms, 0) / 1000).toFixed(3);
}

/** XML 1.0 has no way to write control characters: they become U+FFFD. */
function xml(text: string): string {
  const marks: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    '\n': '&#10;',
    '\t': '&#9;',
  };
  return text.replace(/[&<>"\n\t]|\p{Cc}/gu, (char) => marks[char] ?? '\ufffd');
}
