/** The agent's figures in Prometheus' text format. The library is loaded at the first question: it costs memory. */

import type { NodeSync } from '#serve/agent/node-sync.ts';

/** What is counted while the agent runs. */
export interface Counts {
  passes: number;
  operations: number;
  failures: number;
  errors: number;
}

export async function renderMetrics(sync: NodeSync, counts: Counts): Promise<string> {
  const { Gauge, Registry } = await import('prom-client');
  const registers = [new Registry()];
  for (const [name, help, value] of figures(sync, counts)) new Gauge({ name, help, registers }).set(value);
  return (await Promise.all(registers.map((registry) => registry.metrics()))).join('');
}

function figures(sync: NodeSync, counts: Counts): [name: string, help: string, value: number][] {
  const state = sync.outcome?.kind === 'ready' ? sync.outcome.state : undefined;
  return [
    ['polder_agent_sync_passes', 'Times that the kernel was compared with the wanted state', counts.passes],
    ['polder_agent_sync_operations', 'Changes made to the kernel', counts.operations],
    ['polder_agent_sync_failures', 'Changes that the kernel refused', counts.failures],
    ['polder_agent_sync_errors', 'Passes that ended early', counts.errors],
    ['polder_agent_ready', '1 once the node has been brought to a wanted state', sync.reached ? 1 : 0],
    ['polder_agent_peer_networks', 'Networks of other nodes that have a route', state?.peers.length ?? 0],
    ['polder_agent_pods', 'Pods of this node that have a route of their own', state?.pods.length ?? 0],
    ['polder_agent_problems', 'Things in the cluster that cannot be turned into routes', state?.problems.length ?? 0],
    ['polder_agent_obstacles', 'Wanted objects whose place somebody else has', sync.report?.obstacles.length ?? 0],
    ['polder_agent_pod_mtu_bytes', 'MTU of pods’ interfaces', state?.podMtu ?? 0],
    ['process_resident_memory_bytes', 'Resident memory', process.memoryUsage.rss()],
  ];
}
