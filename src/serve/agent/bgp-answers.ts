/** What the agent's status socket answers about BGP. */

import { explainNetwork } from '#calc/bgp/explain.ts';
import type { BgpReport, RoutesReport, WhyReport } from '#calc/bgp/report.ts';
import { sessionReports } from '#calc/bgp/session-report.ts';
import type { BgpState } from '#calc/bgp/state.ts';
import type { Problem } from '#calc/state.ts';
import type { BirdControl } from '#kernel/bird/handle.ts';
import { readAddr } from '#net/addr.ts';
import { hostPrefix, type Prefix, readPrefix } from '#net/prefix.ts';
import type { BgpSpeaker } from '#serve/agent/bgp.ts';
import type { Answer, Answers } from '#serve/agent/status.ts';
import { readAllRoutes, readDaemon, readNetwork } from '#sync/bird-read.ts';
import type { DaemonStatus } from '#wire/bird/show-status.ts';

/** What they are made of. */
export interface BgpSource {
  readonly node: string;
  readonly bgp: Pick<BgpSpeaker, 'state' | 'control' | 'trouble' | 'problems'>;
  /** What of the settings makes no session, beside what BIRD's keeper says. */
  readonly problems: () => readonly Problem[];
}

export function bgpAnswers(source: BgpSource): Answers {
  return {
    '/bgp/status': async () => ({ status: 200, body: await bgpReport(source) }),
    '/bgp/routes': (query) => withBird(source, async (control) => routes(source, control, query.get('prefix'))),
    '/bgp/why': (query) =>
      withBird(source, async (control, state) => why(source, control, state, query.get('prefix') ?? '')),
  };
}

async function bgpReport({ node, bgp, problems }: BgpSource): Promise<BgpReport> {
  const { state: wanted, control, trouble } = bgp;
  const daemon = control && (await readDaemon(control));
  return {
    node,
    ...(wanted ? { speaker: { asNumber: wanted.asNumber, routerId: wanted.routerId } } : {}),
    ...(daemon ? { daemon: aboutDaemon(daemon.status) } : {}),
    sessions: wanted ? sessionReports(wanted, daemon?.protocols ?? [], daemon?.bfd ?? []) : [],
    problems: [...problems(), ...bgp.problems],
    ...(trouble === undefined ? {} : { trouble }),
  };
}

function aboutDaemon(status: DaemonStatus): NonNullable<BgpReport['daemon']> {
  return {
    version: status.version,
    now: status.serverTime,
    startedAt: status.lastReboot,
    configuredAt: status.lastReconfiguration,
    restarting: status.gracefulRestart,
  };
}

/** @param within undefined or empty: all. */
async function routes({ node }: BgpSource, control: BirdControl, within: string | null): Promise<Answer> {
  const prefix = within === null || within === '' ? undefined : networkFrom(within);
  if (within && prefix === undefined) return noNetwork(within);
  const body: RoutesReport = { node, routes: await readAllRoutes(control, prefix) };
  return { status: 200, body };
}

async function why({ node }: BgpSource, control: BirdControl, state: BgpState, text: string): Promise<Answer> {
  const asked = networkFrom(text);
  if (asked === undefined) return noNetwork(text);
  const facts = await readNetwork(control, state, asked);
  const body: WhyReport = { node, asked, ...(facts ? { answer: explainNetwork(state, facts) } : {}) };
  return { status: 200, body };
}

/** A network, or an address as the network of itself. */
function networkFrom(text: string): Prefix | undefined {
  const addr = readAddr(text);
  return addr === undefined ? readPrefix(text) : hostPrefix(addr);
}

function noNetwork(text: string): Answer {
  return { status: 400, body: `"${text}" is no network such as 10.244.1.0/24, nor an address.\n` };
}

type WithBird = (control: BirdControl, state: BgpState) => Promise<Answer>;

async function withBird({ node, bgp }: BgpSource, ask: WithBird): Promise<Answer> {
  const { state, control, trouble } = bgp;
  if (!state) return { status: 409, body: `Node ${node} speaks no BGP.\n` };
  if (control) return ask(control, state);
  return { status: 503, body: `${trouble ?? `BIRD does not run on node ${node} yet.`}\n` };
}
