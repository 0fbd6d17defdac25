/** What agents say of BGP, as a person reads it. */

import type { PeerAnswer, WayAnswer } from '#calc/bgp/explain.ts';
import type { BgpReport, RoutesReport, WhyReport } from '#calc/bgp/report.ts';
import type { SessionReport } from '#calc/bgp/session-report.ts';
import { boxedTable, table } from '#cli/table.ts';
import type { Family } from '#net/addr.ts';
import type { BirdRoute, RouteHop } from '#wire/bird/show-routes.ts';

const FAMILIES: readonly Family[] = [4, 6];
const HEADER = ['PEER ADDRESS', 'PEER TYPE', 'STATE', 'SINCE', 'INFO'];
const WIDE = ['AS', 'IMPORTED', 'FILTERED', 'EXPORTED', 'BFD', 'ASKED FOR BY'];

/** For each node the tables of `calicoctl node status`. */
export function statusText(reports: readonly BgpReport[], wide: boolean): string {
  return reports.map((report) => nodeText(report, wide)).join('\n');
}

function nodeText(report: BgpReport, wide: boolean): string {
  if (!report.speaker) return `${report.node} speaks no BGP.\n`;
  const now = report.daemon?.now ?? '';
  const families = FAMILIES.map((family) => {
    const rows = report.sessions
      .filter((session) => session.family === family)
      .map((session) => rowOf(session, now, wide));
    const body =
      rows.length === 0 ? `No IPv${family} peers found.\n` : boxedTable(wide ? [...HEADER, ...WIDE] : HEADER, rows);
    return `\nIPv${family} BGP status\n${body}`;
  });
  const wrong = [
    ...(report.trouble === undefined ? [] : [report.trouble]),
    ...report.problems.map(({ sentence, todo }) => `${sentence} ${todo}`),
  ];
  return [daemonText(report), ...families, ...wrong.map((each) => `\n${each}\n`)].join('');
}

function daemonText({ node, speaker, daemon }: BgpReport): string {
  const who = speaker ? `AS ${speaker.asNumber}, router id ${speaker.routerId}` : '';
  if (!daemon) return `${node}: BIRD does not run; ${who}.\n`;
  const recovers = daemon.restarting
    ? ' It restarts gracefully: routes of before stay until the peers have told theirs.'
    : '';
  return `${node}: BIRD ${daemon.version} runs since ${seconds(daemon.startedAt)}, configured ${seconds(daemon.configuredAt)}; ${who}.${recovers}\n`;
}

function rowOf(session: SessionReport, now: string, wide: boolean): string[] {
  const { addr, type, state, since, info, asNumber, imported, filtered, exported, bfd, origin } = session;
  const row = [addr, type, state, moment(since, now), info];
  return wide ? [...row, `${asNumber}`, `${imported}`, `${filtered}`, `${exported}`, bfd ?? '', origin] : row;
}

/** Of today the time, else the day, as BIRD's short form has it. */
function moment(since: string, now: string): string {
  const [day = '', time = ''] = since.split(' ');
  return day === now.split(' ')[0] ? time.slice(0, 8) : day;
}

/** `2026-11-29 03:00:22.917298` without parts of a second. */
function seconds(time: string): string {
  return time.slice(0, 19);
}

/** One row a way; `*` marks those that are chosen. */
export function routesText(reports: readonly RoutesReport[]): string {
  const rows = reports.flatMap(({ node, routes }) => routes.map((route) => [node, ...routeRow(route)]));
  if (rows.length === 0) return 'BIRD knows no such route.\n';
  return table(['NODE', 'NETWORK', '', 'VIA', 'FROM', 'AS PATH', 'PREFERENCE', 'SINCE'], rows);
}

function routeRow(route: BirdRoute): string[] {
  const { net, chosen, proto, preference, attributes, since } = route;
  const local = attributes['BGP.local_pref'];
  const weight = local === undefined ? `${preference}` : `${preference}, local ${local}`;
  return [net, chosen ? '*' : '', viaText(route), proto, attributes['BGP.as_path'] ?? '', weight, seconds(since)];
}

function viaText({ dest, hops }: { readonly dest: string; readonly hops: readonly RouteHop[] }): string {
  if (hops.length === 0) return dest;
  return hops.map(({ via, ifname }) => (via === undefined ? `dev ${ifname}` : `${via} dev ${ifname}`)).join(', ');
}

/** For each node the ways to the network, each with its fate. */
export function whyText(reports: readonly WhyReport[]): string {
  return reports
    .map(({ node, asked, answer }) => {
      if (!answer) return `${node}: BIRD knows no way to ${asked}, and no larger network that holds it.\n`;
      const other = answer.net === asked ? '' : `, which is what leads to ${asked}`;
      return `${node}: ${answer.net}${other}\n${answer.ways.map(wayText).join('')}`;
    })
    .join('\n');
}

const MARKS = { chosen: '*', 'not chosen': ' ', rejected: 'x' } as const satisfies Record<WayAnswer['state'], string>;

function wayText(way: WayAnswer): string {
  const from = way.from === undefined ? way.origin : `from ${way.from} (${way.origin})`;
  const lines = [` ${MARKS[way.state]} ${viaText(way)}, ${from}`, `     ${way.state}: ${way.because}`];
  if (way.state === 'rejected') return lines.map((line) => `${line}\n`).join('');
  lines.push(`     kernel: ${way.kernel.put ? 'yes' : 'no'}, ${way.kernel.because}`);
  return lines.map((line) => `${line}\n`).join('') + peersText(way.peers);
}

function peersText(peers: readonly PeerAnswer[]): string {
  const rows = peers.map(({ peer, type, told, because }) => [peer, type, told ? 'yes' : 'no', because]);
  const lines = rows.length === 0 ? [] : table(['PEER', 'PEER TYPE', 'TOLD', 'BECAUSE'], rows).trimEnd().split('\n');
  return lines.map((line) => `     ${line}\n`).join('');
}
