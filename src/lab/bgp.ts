/** What the nodes of a lab say by BGP, as their agents tell. */

import type { BgpReport, RoutesReport, WhyReport } from '#calc/bgp/report.ts';
import { askAgent } from '#lab/agent-client.ts';
import { requireNode } from '#lab/nodes.ts';
import { requireLab } from '#lab/state.ts';
import { runningNodes } from '#lab/up.ts';
import { PolderError } from '#spec/errors.ts';

/** Of one node, or of all that run. @throws PolderError 'no-lab' or 'no-node', Error if an agent does not answer. */
export async function bgpStatus(lab: string, node?: string): Promise<BgpReport[]> {
  return Promise.all(
    nodesOf(lab, node).map(async (name) => (await askAgent(lab, name, 'GET', '/bgp/status')) as BgpReport),
  );
}

/** Every way that BIRD knows, to networks inside the prefix if one is given. @throws as `bgpStatus`, PolderError 'no-bgp' */
export async function bgpRoutes(lab: string, prefix?: string, node?: string): Promise<RoutesReport[]> {
  const path = `/bgp/routes${prefix === undefined ? '' : `?prefix=${encodeURIComponent(prefix)}`}`;
  const names = await speakers(lab, node);
  return Promise.all(names.map(async (name) => (await askAgent(lab, name, 'GET', path)) as RoutesReport));
}

/** @throws as `bgpRoutes` */
export async function bgpWhy(lab: string, prefix: string, node?: string): Promise<WhyReport[]> {
  const path = `/bgp/why?prefix=${encodeURIComponent(prefix)}`;
  const names = await speakers(lab, node);
  return Promise.all(names.map(async (name) => (await askAgent(lab, name, 'GET', path)) as WhyReport));
}

function nodesOf(lab: string, node: string | undefined): string[] {
  const spec = requireLab(lab);
  const running = runningNodes(spec).map(({ name }) => name);
  if (node === undefined) return running;
  requireNode(spec, node);
  if (running.includes(node)) return [node];
  throw new PolderError('usage', { what: `Node ${node} is stopped, so nobody there can be asked.` });
}

/** Those whose BIRD runs. */
async function speakers(lab: string, node: string | undefined): Promise<string[]> {
  const reports = await bgpStatus(lab, node);
  const speaking = reports.filter(({ speaker }) => speaker);
  if (speaking.length === 0) {
    const who = node === undefined ? `No node of lab "${lab}" speaks` : `Node ${node} does not speak`;
    throw new PolderError('no-bgp', { who });
  }
  const away = speaking.find(({ daemon }) => !daemon);
  if (away)
    throw new PolderError('bird-away', { node: away.node, why: away.trouble ?? 'It has not been started yet.' });
  return speaking.map(({ node: name }) => name);
}
