/** Which of a lab's programs `kubectl` shows as pods, on which node, and how they are doing: what a kubelet mirrors. */

import type { ProgramSpec } from '#lab/programs.ts';
import { type LabSpec, UNDERLAY_API_ADDR } from '#lab/spec.ts';
import { commandOf } from '#lab/supervisor/effects.ts';
import type { ProgramStatus } from '#lab/supervisor/keeper.ts';

export interface Component {
  /** Of the container, and with the node's name behind it of the pod: `kube-apiserver`. */
  readonly name: string;
  /** As kubeadm's labels `tier` have it; 'node' for what every node has. */
  readonly tier: 'control-plane' | 'node';
  /** Beside `component` and `tier`: what people find their network plugin by. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether who deletes its pod gets a new run, as of a DaemonSet's pod; a static pod's containers run on. */
  readonly restartsWhenDeleted?: boolean;
  /** Where it can be reached, if that is not the node's address. */
  readonly addr?: string;
  readonly command: readonly string[];
  readonly logFile: string;
  readonly status: ProgramStatus;
}

/** By the last part of a program's id. A kubelet is no pod anywhere: it is what shows the others. */
const SHOWN: Readonly<Record<string, Pick<Component, 'name' | 'tier' | 'addr' | 'restartsWhenDeleted'>>> = {
  apiserver: { name: 'kube-apiserver', tier: 'control-plane', addr: UNDERLAY_API_ADDR },
  controller: { name: 'kube-controller-manager', tier: 'control-plane', addr: UNDERLAY_API_ADDR },
  agent: { name: 'polder-agent', tier: 'node', restartsWhenDeleted: true },
};

/** By the beginning of a profile's name: an agent does there what the programs of these labels do elsewhere. */
const NETWORK_LABELS: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ['flannel', { app: 'flannel' }],
  ['calico', { 'k8s-app': 'calico-node' }],
];

/**
 * The node's agent; beside it, on the first node that runs, API server and controller, which stand outside of all nodes.
 * @param programs of the lab
 * @param statuses of those that the supervisor keeps
 */
export function componentsOf(
  spec: Pick<LabSpec, 'nodes' | 'profile'>,
  node: string,
  programs: readonly ProgramSpec[],
  statuses: readonly ProgramStatus[],
): Component[] {
  const first = spec.nodes.find((one) => one.stopped !== true)?.name;
  const isHere = (id: string) => id.startsWith(`${node}/`) || (node === first && !id.includes('/'));
  return programs.flatMap((program) => {
    const shown = SHOWN[program.id.split('/').at(-1) ?? ''];
    const status = statuses.find(({ id }) => id === program.id);
    if (shown === undefined || status === undefined || !isHere(program.id)) return [];
    const [command, args] = commandOf(program);
    const labels = NETWORK_LABELS.find(([profile]) => shown.tier === 'node' && spec.profile.startsWith(profile))?.[1];
    const what = { ...shown, command: [command, ...args], logFile: program.logFile, status };
    return [labels === undefined ? what : { ...what, labels }];
  });
}
