/** How labs are doing. */

import { labPaths } from '#lab/names.ts';
import { readPidFile } from '#lab/process.ts';
import { labPrograms } from '#lab/programs.ts';
import { isReady, labClient } from '#lab/ready.ts';
import { clusterCidrs, type LabSpec, LOOPBACK, type NodeSpec } from '#lab/spec.ts';
import { listLabs, loadLab, requireLab } from '#lab/state.ts';
import { supervisorProcess, supervisorStatus } from '#lab/supervisor/client.ts';
import type { ProgramStatus } from '#lab/supervisor/keeper.ts';
import { conditionOf, isMirror, NODES, type Node, PODS } from '#spec/k8s.ts';

export interface LabSummary {
  readonly name: string;
  /** 'degraded': something of it does not run; 'damaged': it has files that cannot be read. */
  readonly state: 'up' | 'degraded' | 'down' | 'damaged';
  readonly profile?: string;
  readonly nodes?: number;
  /** Where its API is. */
  readonly server?: string;
}

export interface NodeStatus {
  readonly name: string;
  /** On the underlay. */
  readonly address: string;
  readonly subnet: number;
  readonly state: 'Ready' | 'NotReady' | 'Stopped' | 'Unknown';
  readonly podCIDR?: string;
  /** How many pods are bound to it, beside those that show what runs there anyway. */
  readonly pods: number;
}

export interface LabStatus extends LabSummary {
  readonly kubeconfig: string;
  readonly clusterCIDR: string;
  readonly nodeStatus: readonly NodeStatus[];
  readonly programs: readonly ProgramStatus[];
}

/** Of every lab that has left anything on this machine. */
export function summaries(): LabSummary[] {
  return listLabs().map(summary);
}

function summary(name: string): LabSummary {
  try {
    const spec = loadLab(name);
    if (spec === undefined) return { name, state: 'damaged' };
    const state = supervisorProcess(name) !== undefined ? 'up' : foundPrograms(spec).length > 0 ? 'degraded' : 'down';
    return {
      name,
      state,
      profile: spec.profile,
      nodes: spec.nodes.length,
      server: `https://${LOOPBACK}:${spec.apiPort}`,
    };
  } catch {
    return { name, state: 'damaged' };
  }
}

/** @throws PolderError 'no-lab' */
export async function labStatus(name: string): Promise<LabStatus> {
  const spec = requireLab(name);
  const [programs, nodes] = await Promise.all([programStatus(spec), clusterNodes(name, spec.nodes)]);
  const brief = summary(name);
  const well = programs.every((program) => program.state === 'running') && nodes.every(isWell);
  return {
    ...brief,
    state: brief.state === 'up' && !well ? 'degraded' : brief.state,
    kubeconfig: labPaths(name).kubeconfig,
    clusterCIDR: clusterCidrs(spec).join(','),
    nodeStatus: nodes,
    programs,
  };
}

function isWell(node: NodeStatus): boolean {
  return node.state === 'Ready' || node.state === 'Stopped';
}

/** From the supervisor; without one, from the process files alone. */
async function programStatus(spec: LabSpec): Promise<readonly ProgramStatus[]> {
  const answer = await supervisorStatus(spec.name);
  return answer?.programs ?? foundPrograms(spec);
}

function foundPrograms(spec: LabSpec): ProgramStatus[] {
  return labPrograms(spec).flatMap(({ id, pidFile }) => {
    const found = readPidFile(pidFile);
    return found === undefined ? [] : [{ id, state: 'running', pid: found.pid, restarts: 0, failures: 0 }];
  });
}

const ANSWER_MS = 3_000;

/** What the API says of the nodes; 'Unknown' where it does not answer. */
async function clusterNodes(name: string, specs: readonly NodeSpec[]): Promise<NodeStatus[]> {
  const found = await readCluster(name);
  return specs.map((spec) => {
    const node = found?.nodes.get(spec.name);
    return {
      name: spec.name,
      address: spec.addr,
      subnet: spec.subnet,
      state: stateOf(spec, node),
      ...(node?.spec?.podCIDR === undefined ? {} : { podCIDR: node.spec.podCIDR }),
      pods: found?.pods.get(spec.name) ?? 0,
    };
  });
}

function stateOf(spec: NodeSpec, node: Node | undefined): NodeStatus['state'] {
  if (spec.stopped === true) return 'Stopped';
  if (node === undefined) return 'Unknown';
  const ready = conditionOf(node.status?.conditions, 'Ready')?.status;
  return ready === 'True' && isReady(node) ? 'Ready' : 'NotReady';
}

async function readCluster(
  name: string,
): Promise<{ readonly nodes: Map<string, Node>; readonly pods: Map<string, number> } | undefined> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    using client = await labClient(name, signal);
    const [nodes, pods] = await Promise.all([client.list(NODES, { signal }), client.list(PODS, { signal })]);
    const counts = Map.groupBy(
      pods.items.filter((pod) => !isMirror(pod)),
      (pod) => pod.spec?.nodeName ?? '',
    );
    return {
      nodes: new Map(nodes.items.map((node) => [node.metadata.name ?? '', node])),
      pods: new Map([...counts].map(([node, list]) => [node, list.length])),
    };
  } catch {
    return undefined;
  }
}
