/** The table that is told of the ways across nodes, with this machine's figures beside what is told. */

import type { CaseReport, Report } from '#bench/harness.ts';
import type { ProfileRow } from '#bench/profiles/rows.ts';

/** A row for each profile that was measured; loss is against the bare underlay, one stream. */
export function overheads({ cases }: Report, rows: Readonly<Record<string, ProfileRow>>): string {
  const byName = new Map(cases.map((one) => [one.case, one]));
  const head = [
    'profile',
    'like',
    'encapsulation',
    'told',
    'loss here',
    '8 streams',
    'RTT p50/p95/p99',
    'connects/s',
    'CPU',
  ];
  const body = Object.entries(rows).flatMap(([name, row]) =>
    line(name, row, (what) => byName.get(`${name} across: ${what}`)),
  );
  return columns([head, ...body]);
}

function line(name: string, row: ProfileRow, find: (what: string) => CaseReport | undefined): string[][] {
  const [one, many, trip, connection, cpu] = [
    '1 stream',
    '8 streams',
    'round trip',
    'connection',
    'processor time',
  ].map(find);
  if (!one || !many || !trip || !connection || !cpu) return [];
  const { p50, p95, p99 } = trip.ours;
  const rate = Math.round(1e6 / connection.ours.p50);
  return [
    [
      name,
      row.like,
      row.encapsulation,
      row.told,
      loss(one),
      loss(many),
      `${p50}/${p95}/${p99} µs`,
      `${rate}`,
      `x ${cpu.ratio}`,
    ],
  ];
}

function loss({ ratio }: CaseReport): string {
  return `${Math.round((1 - ratio) * 100)} %`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '));
  return `${lines.map((text) => text.trimEnd()).join('\n')}\n`;
}
