/** Adding, removing, stopping and starting nodes of a lab that is up. */

import { isNotFound } from '#feed/api-error.ts';
import { checkSpec } from '#lab/check.ts';
import { cutPower } from '#lab/down.ts';
import { ensureNodeKubeconfig } from '#lab/keys.ts';
import { labPaths } from '#lab/names.ts';
import { ensureNodeFiles, removeNodeFiles } from '#lab/node-files.ts';
import { labClient, whenNodesReady } from '#lab/ready.ts';
import { freeNodeAddr, type LabSpec, type NodeSpec, type WantedNode, wholeNumber } from '#lab/spec.ts';
import { requireLab, saveLab } from '#lab/state.ts';
import type { Step } from '#lab/step.ts';
import { askSupervisor } from '#lab/supervisor/client.ts';
import { ensureNode, ensureUnderlay } from '#lab/underlay.ts';
import { PolderError } from '#spec/errors.ts';
import { NODES } from '#spec/k8s.ts';

export interface NodeContext {
  readonly step: Step;
  readonly signal: AbortSignal;
}

const READY_MS = 60_000;

/** The caller holds the lab's lock, here and below. @throws PolderError */
export async function addNode(lab: string, wanted: WantedNode, context: NodeContext): Promise<void> {
  const spec = requireLab(lab);
  const subnet = wholeNumber('The subnet', wanted.subnet ?? 1, 1, spec.subnets);
  const addr = freeNodeAddr(subnet, new Set(spec.nodes.map((node) => node.addr)));
  const node = { name: wanted.name, subnet, addr, labels: wanted.labels ?? {}, taints: wanted.taints ?? [] };
  const next = { ...spec, nodes: [...spec.nodes, node] };
  checkSpec(next);
  await boot(next, node, context);
}

export async function startNode(lab: string, name: string, context: NodeContext): Promise<void> {
  const spec = requireLab(lab);
  const node = { ...requireNode(spec, name), stopped: false };
  await boot(withNode(spec, node), node, context);
}

/** A power failure: all that runs in it ends at once, its network is gone. The cluster finds out by itself. */
export async function stopNode(lab: string, name: string, context: NodeContext): Promise<void> {
  const spec = requireLab(lab);
  const node = requireNode(spec, name);
  saveLab(labPaths(lab), withNode(spec, { ...node, stopped: true }));
  await context.step(`stopping ${name}`, () => switchOff(lab, name));
}

/** As `kubectl delete node` and then taking the machine away. */
export async function removeNode(lab: string, name: string, context: NodeContext): Promise<void> {
  const spec = requireLab(lab);
  requireNode(spec, name);
  saveLab(labPaths(lab), { ...spec, nodes: spec.nodes.filter((node) => node.name !== name) });
  await context.step(`stopping ${name}`, () => switchOff(lab, name));
  await context.step('telling the cluster', () => forgetNode(lab, name));
  removeNodeFiles(lab, name);
}

/** @throws PolderError 'no-node' */
export function requireNode(spec: LabSpec, name: string): NodeSpec {
  const node = spec.nodes.find((each) => each.name === name);
  if (node !== undefined) return node;
  throw new PolderError('no-node', {
    lab: spec.name,
    node: name,
    nodes: spec.nodes.map((each) => each.name).join(', '),
  });
}

function withNode(spec: LabSpec, node: NodeSpec): LabSpec {
  return { ...spec, nodes: spec.nodes.map((each) => (each.name === node.name ? node : each)) };
}

async function boot(spec: LabSpec, node: NodeSpec, context: NodeContext): Promise<void> {
  saveLab(labPaths(spec.name), spec);
  await context.step(`starting ${node.name}`, async () => {
    ensureNodeFiles(spec.name, node.name);
    await ensureNodeKubeconfig(labPaths(spec.name), node.name);
    using underlay = ensureUnderlay(spec);
    ensureNode(spec, node, underlay).close();
    await askSupervisor(spec.name, { do: 'apply' });
  });
  await context.step('waiting until it is ready', (say) => whenReady(spec.name, node.name, context.signal, say));
}

async function whenReady(lab: string, node: string, stop: AbortSignal, say: (detail: string) => void): Promise<void> {
  const deadline = AbortSignal.timeout(READY_MS);
  const signal = AbortSignal.any([stop, deadline]);
  try {
    using client = await labClient(lab, signal);
    await whenNodesReady(client, [node], signal, (ready) => say(`it has ${ready.spec?.podCIDR}`));
  } catch (error) {
    if (!deadline.aborted) throw error;
    const what = `node ${node} is not ready after ${READY_MS / 1000} s`;
    throw new PolderError('lab-not-ready', { lab, what, program: `${node}/kubelet` }, { cause: error });
  }
}

/** Processes first, the supervisor knowing by then that they are not to come back. */
async function switchOff(lab: string, name: string): Promise<void> {
  const killed = cutPower(lab, name);
  await Promise.all([askSupervisor(lab, { do: 'apply' }), killed]);
  await cutPower(lab, name);
}

async function forgetNode(lab: string, name: string): Promise<void> {
  using client = await labClient(lab, AbortSignal.timeout(READY_MS));
  try {
    await client.delete(NODES, { name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
