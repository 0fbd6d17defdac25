/** A report as a picture: a bar for each case, how ours compares with the baseline; and the page around it. */

import type { CaseReport, Report } from '#bench/harness.ts';

const ROW = 22;
const LABEL = 420;
const BARS = 420;
const FIGURE = 110;

/** Bars of the ratio ours to baseline, with a mark at each target; green where it is met. */
export function chartSvg({ name, machine, cases }: Report): string {
  const most = Math.max(1.1, ...cases.flatMap(({ ratio, target }) => [ratio, target ?? 0]));
  const scale = (value: number): number => Math.round((value / most) * BARS * 10) / 10;
  const width = LABEL + BARS + FIGURE;
  const height = (cases.length + 3) * ROW;
  const one = LABEL + scale(1);
  const rows = cases.map((c, i) => bar(c, (i + 2) * ROW, scale)).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<title>${escaped(name)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="8" y="16" font-weight="bold">${escaped(name)}: ours to the baseline</text>
<text x="8" y="32" fill="#666" font-size="11">${escaped(machine)}</text>
<line x1="${one}" x2="${one}" y1="${1.8 * ROW}" y2="${height - ROW}" stroke="#999" stroke-dasharray="3 3"/>
${rows}
<text x="${one}" y="${height - 6}" text-anchor="middle" fill="#666">1.0 = baseline</text>
</svg>
`;
}

function bar(c: CaseReport, y: number, scale: (value: number) => number): string {
  const length = Math.max(0, scale(c.ratio));
  const { target = 0 } = c;
  const at = LABEL + scale(target);
  const mark = c.target
    ? `<line x1="${at}" x2="${at}" y1="${y + 1}" y2="${y + ROW - 3}" stroke="#222" stroke-width="2"/>`
    : '';
  return `<g><title>${escaped(said(c))}</title><text x="${LABEL - 8}" y="${y + 14}" text-anchor="end">${escaped(c.case)}</text>
<rect x="${LABEL}" y="${y + 3}" width="${length}" height="${ROW - 8}" fill="${c.target === undefined ? '#5b7db1' : c.met ? '#3a9d5d' : '#d9822b'}"/>${mark}
<text x="${LABEL + BARS + 8}" y="${y + 14}">${c.ratio}${c.target ? ` (${c.better === 'higher' ? '≥' : '≤'} ${target})` : ''}</text></g>`;
}

function said({ ours, baseline, unit }: CaseReport): string {
  return `ours ${ours.p50} ${unit}, ${baseline.name} ${baseline.p50} ${unit}`;
}

/** @param text what the terminal showed @param svg the chart */
export function pageHtml({ name, machine }: Report, svg: string, text: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>polder bench ${escaped(name)}</title>
<style>body{font:15px sans-serif;margin:2rem;max-width:70rem}pre{background:#f4f4f4;padding:1rem;overflow:auto}</style></head>
<body><h1>polder bench ${escaped(name)}</h1><p>${escaped(machine)}</p>
${svg}<pre>${escaped(text)}</pre></body></html>
`;
}

function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => names[character] ?? character);
}
