/** What the agent's status socket answers. */

import type { Problem } from '#calc/state.ts';
import { printPlan, printPlanOp } from '#plan/print.ts';
import type { BgpSpeaker } from '#serve/agent/bgp.ts';
import { bgpAnswers } from '#serve/agent/bgp-answers.ts';
import { type Counts, renderMetrics } from '#serve/agent/metrics.ts';
import type { NodeSync } from '#serve/agent/node-sync.ts';
import type { Answer, Answers } from '#serve/agent/status.ts';
import type { WireguardDevice } from '#wire/wireguard/values.ts';

/** Facts from beside the sync. */
export interface Surroundings {
  /** Name of this node. */
  readonly node: string;
  readonly connected: () => boolean;
  readonly clusterProblems: () => readonly string[];
  readonly fastPath: { readonly active: boolean; readonly trouble: string | undefined };
  readonly ipip: { readonly trouble: string | undefined };
  readonly bgp: Pick<BgpSpeaker, 'state' | 'settled' | 'control' | 'trouble' | 'problems'>;
  /** The node's WireGuard devices as the kernel has them. */
  readonly wireguard: () => readonly WireguardDevice[];
  /** Takes new WireGuard keys. @returns how many. */
  readonly rotate: () => number;
  readonly counts: Counts;
}

export function answersOf(sync: NodeSync, surroundings: Surroundings): Answers {
  return {
    '/healthz': () => health(sync),
    '/status': () => ({ status: 200, body: statusOf(sync, surroundings) }),
    '/state': () => state(sync),
    '/wireguard': () => ({ status: 200, body: encryption(sync, surroundings) }),
    'POST /wireguard/rotate': () => ({ status: 200, body: { rotated: surroundings.rotate() } }),
    '/bgp': () => ({ status: 200, body: speech(surroundings) }),
    ...bgpAnswers({ node: surroundings.node, bgp: surroundings.bgp, problems: () => bgpProblems(sync) }),
    '/plan': () => ({ status: 200, body: planText(sync) }),
    '/metrics': async () => ({ status: 200, body: await renderMetrics(sync, surroundings.counts) }),
  };
}

/** 200 when pods can be attached; else 503 and why not. */
function health(sync: NodeSync): Answer {
  if (sync.reached) return { status: 200, body: 'ok\n' };
  return { status: 503, body: `${whyNot(sync)}\n` };
}

function whyNot({ outcome, report }: NodeSync): string {
  if (outcome?.kind === 'waiting') return `${outcome.problem.sentence} ${outcome.problem.todo}`;
  const failed =
    report?.failures.map(({ op, reason }) => `The kernel refused \`${printPlanOp(op)}\`: ${reason}.`) ?? [];
  return [...failed, ...(report?.obstacles.map(({ sentence }) => sentence) ?? [])].join('\n') || 'Starting.';
}

function state({ outcome }: NodeSync): Answer {
  if (outcome?.kind === 'ready') return { status: 200, body: outcome.state };
  return { status: 503, body: { problem: outcome?.problem ?? null } };
}

/** Pending operations, and what stands in their way, as comments. */
function planText(sync: NodeSync): string {
  const { ops, obstacles } = sync.plan();
  return obstacles.map(({ sentence }) => `# ${sentence}\n`).join('') + printPlan(ops);
}

/** Who is spoken to encrypted, and who is not; private keys are not part of it. */
function encryption({ reached, outcome }: NodeSync, { wireguard }: Surroundings): object {
  const problems = outcome?.kind === 'ready' ? outcome.state.problems : [];
  const nodes = reached?.wireguard.flatMap(({ family, peers }) =>
    peers.filter(({ routes }) => routes.length > 0).map(({ node, publicKey }) => ({ family, node, publicKey })),
  );
  return {
    devices: wireguard(),
    encrypted: nodes ?? [],
    plain: reached?.wireguard.flatMap(({ family, plain }) => plain.map((node) => ({ family, node }))) ?? [],
    problems: problems.filter(({ code }) => code.includes('wireguard')),
  };
}

/** What is said by BGP, and whether BIRD says it. */
function speech({ bgp: { state, settled, control, trouble, problems } }: Surroundings): object {
  return { state: state ?? null, running: control !== undefined, settled, trouble: trouble ?? null, problems };
}

/** What of the cluster's settings makes no session. */
function bgpProblems({ outcome }: NodeSync): readonly Problem[] {
  const all = outcome?.kind === 'ready' ? outcome.state.problems : [];
  return all.filter(({ code }) => code.startsWith('bgp-'));
}

function problemsOf({ outcome }: NodeSync, { bgp }: Surroundings): readonly Problem[] {
  if (outcome?.kind === 'waiting') return [outcome.problem];
  return [...(outcome?.state.problems ?? []), ...bgp.problems];
}

function statusOf(sync: NodeSync, surroundings: Surroundings): object {
  const { connected, clusterProblems, fastPath, ipip, bgp } = surroundings;
  const { report, reached, view } = sync;
  return {
    ready: reached !== undefined,
    connected: connected(),
    snapshot: view?.kind ?? 'none',
    profile: reached?.profile ?? null,
    podCidrs: reached?.networks ?? [],
    problems: problemsOf(sync, surroundings),
    clusterProblems: clusterProblems(),
    failures: report?.failures.map(({ op, reason }) => ({ command: printPlanOp(op), reason })) ?? [],
    obstacles: report?.obstacles ?? [],
    fastPath: { active: fastPath.active, trouble: fastPath.trouble ?? null },
    ipipTrouble: ipip.trouble ?? null,
    bgpTrouble: bgp.trouble ?? null,
    rssBytes: process.memoryUsage.rss(),
  };
}
