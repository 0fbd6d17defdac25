/** The Node as the kubelet registers it, as a value. */

import type { Condition, Node, Taint, TaintEffect } from '#spec/k8s.ts';

export interface NodeInput {
  readonly name: string;
  /** One a family. */
  readonly ips: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** `key=value:Effect` or `key:Effect`. */
  readonly taints: readonly string[];
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  readonly maxPods: number;
  readonly info: Readonly<Record<string, string>>;
  /** Why pods cannot be run; undefined: they can. */
  readonly notReady?: string;
}

/** What a kubelet of this version answers for. */
export const KUBELET_VERSION = 'v1.32.0-polder';

const PRESSURES = [
  ['MemoryPressure', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  ['DiskPressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  ['PIDPressure', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
] as const;

export function nodeLabels(input: NodeInput): Record<string, string> {
  const own = {
    'kubernetes.io/hostname': input.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': input.info.architecture ?? '',
  };
  return {
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': own['kubernetes.io/arch'],
    ...own,
    ...input.labels,
  };
}

export function nodeObject(input: NodeInput, now: string): Node {
  const taints = input.taints.map(parseTaint);
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: input.name, labels: nodeLabels(input) },
    ...(taints.length > 0 ? { spec: { taints } } : {}),
    status: nodeStatus(input, undefined, now),
  };
}

/** `dedicated=db:NoSchedule`. @throws SyntaxError */
export function parseTaint(text: string): Taint {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  if (match === null) throw new SyntaxError(`Cannot read "${text}" as a taint: it is KEY=VALUE:EFFECT`);
  const [, key = '', value, effect] = match;
  return { key, ...(value ? { value } : {}), effect: effect as TaintEffect };
}

/** Conditions of others (NetworkUnavailable is the agent's) are not touched: they are kept as `known` has them. */
export function nodeStatus(input: NodeInput, known: Node | undefined, now: string): NonNullable<Node['status']> {
  const amounts = {
    cpu: String(input.cpus),
    memory: `${Math.floor(input.memory / 1024)}Ki`,
    pods: String(input.maxPods),
    'ephemeral-storage': '10Gi',
  };
  const conditions = ownConditions(input, known?.status?.conditions ?? [], now);
  const types = new Set(conditions.map((c) => c.type));
  return {
    addresses: [
      ...input.ips.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: input.name },
    ],
    capacity: amounts,
    allocatable: amounts,
    conditions: [...(known?.status?.conditions ?? []).filter((c) => !types.has(c.type)), ...conditions],
    nodeInfo: { ...input.info },
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
  };
}

function ownConditions(input: NodeInput, known: readonly Condition[], now: string): Condition[] {
  const bare: Condition[] = [
    ...PRESSURES.map(([type, reason, message]) => ({ type, status: 'False' as const, reason, message })),
    readiness(input.notReady),
  ];
  return bare.map((condition) => {
    const old = known.find((c) => c.type === condition.type);
    const since = old?.status === condition.status ? old.lastTransitionTime : now;
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime: since ?? now };
  });
}

function readiness(notReady: string | undefined): Condition {
  if (notReady === undefined) {
    return { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' };
  }
  const message = `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: ${notReady}`;
  return { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message };
}
