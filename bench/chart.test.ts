import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chartSvg, pageHtml } from '#bench/chart.ts';
import { caseReport, type Report } from '#bench/harness.ts';

const ours = { case: 'a <b> & c', unit: 'Gb/s', better: 'higher', ours: [9, 9.5], target: 0.9 } as const;
const REPORT: Report = {
  name: 'sample',
  machine: 'a "machine"',
  notes: [],
  cases: [
    caseReport({ ...ours, baseline: { name: 'wire', samples: [10, 10] } }),
    caseReport({ case: 'slow', unit: 'ms', ours: [4], target: 0.5, baseline: { name: 'theirs', samples: [2] } }),
  ],
};

test('the chart has a bar for each case, as long as its ratio, green only where the target is met', () => {
  const svg = chartSvg(REPORT);
  const bars = [...svg.matchAll(/width="([\d.]+)" height="14" fill="(#\w+)"/g)].map(([, width, fill]) => [width, fill]);
  assert.deepEqual(bars, [
    ['189', '#3a9d5d'],
    ['420', '#d9822b'],
  ]);
  assert.match(svg, /a &lt;b&gt; &amp; c/);
});

test('the page shows what the terminal showed, and no mark-up of it is taken for its own', () => {
  const html = pageHtml(REPORT, chartSvg(REPORT), '<script>');
  assert.match(html, /<pre>&lt;script&gt;<\/pre>/);
  assert.ok(!html.includes('<script>'));
  assert.match(html, /a &quot;machine&quot;/);
});
