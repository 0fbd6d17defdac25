/** Why a node cannot take a pod: one row a reason, in kube-scheduler's order and words. */

import { wantsNode } from '#serve/controller/match/node-affinity.ts';
import { requestsOf } from '#serve/controller/match/quantity.ts';
import { UNSCHEDULABLE, untolerated } from '#serve/controller/match/taints.ts';
import { isOfAnother } from '#serve/controller/scheduler/asked-address.ts';
import {
  meetsAffinity,
  meetsAntiAffinity,
  type NamespaceLabels,
  respectsOthers,
} from '#serve/controller/scheduler/pod-affinity.ts';
import { spreadObjection } from '#serve/controller/scheduler/spread.ts';
import type { NodeUse } from '#serve/controller/scheduler/usage.ts';
import type { ContainerPort, Node, Pod } from '#spec/k8s.ts';

export interface Question {
  readonly pod: Pod;
  readonly use: NodeUse;
  readonly uses: readonly NodeUse[];
  readonly labels: NamespaceLabels;
  /** Pods' addresses are of their node's CIDRs. */
  readonly nodeCidrs: boolean;
}

/** Reasons against this node; empty: it fits. The first filter that objects is the last that is asked. */
type Filter = (question: Question) => readonly string[];

const FILTERS: readonly Filter[] = [
  ({ pod, use }) => {
    const taint = untolerated(use.taints, pod.spec.tolerations, ['NoSchedule', 'NoExecute']);
    if (taint === undefined) return [];
    // A cordoned node carries its taint a moment later than `unschedulable`; people know it by this name.
    if (taint.key === UNSCHEDULABLE) return ['node(s) were unschedulable'];
    return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
  },
  ({ pod, use }) => when(!wantsNode(pod.spec, use.node), "node(s) didn't match Pod's node affinity/selector"),
  ({ pod, use }) => when(portsTaken(pod, use), "node(s) didn't have free ports for the requested pod ports"),
  lacking,
  ({ pod, use, uses, nodeCidrs }) =>
    when(
      nodeCidrs && isOfAnother(pod, use.node, nodesOf(uses)),
      "node(s) didn't have the address that cni.projectcalico.org/ipAddrs asks for",
    ),
  ({ pod, use, uses }) => {
    const why = spreadObjection(pod, use, uses);
    return why === undefined ? [] : [why];
  },
  ({ pod, use, uses, labels }) =>
    when(!meetsAffinity(pod, use, uses, labels), "node(s) didn't match pod affinity rules"),
  ({ pod, use, uses, labels }) =>
    when(!meetsAntiAffinity(pod, use, uses, labels), "node(s) didn't match pod anti-affinity rules"),
  ({ pod, use, uses, labels }) =>
    when(!respectsOthers(pod, use, uses, labels), "node(s) didn't satisfy existing pods anti-affinity rules"),
];

/** Why this node cannot take the pod; empty: it can. */
export function objections(question: Question): readonly string[] {
  for (const filter of FILTERS) {
    const reasons = filter(question);
    if (reasons.length > 0) return reasons;
  }
  return [];
}

function nodesOf(uses: readonly NodeUse[]): readonly Node[] {
  return uses.map(({ node }) => node);
}

function when(objects: boolean, reason: string): readonly string[] {
  return objects ? [reason] : [];
}

/** Requests that the node has no room for. A node that has not said what it has is taken to have enough. */
function lacking({ pod, use }: Question): readonly string[] {
  if (use.allocatable.size === 0) return [];
  const room = (name: string) => (use.allocatable.get(name) ?? 0) - (use.used.get(name) ?? 0);
  const full = use.pods.length + 1 > (use.allocatable.get('pods') ?? Number.POSITIVE_INFINITY);
  const short = [...requestsOf(pod.spec)].filter(([name, amount]) => amount > 0 && amount > room(name));
  return [...when(full, 'Too many pods'), ...short.map(([name]) => `Insufficient ${name}`)];
}

function portsTaken(pod: Pod, use: NodeUse): boolean {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return false;
  const taken = use.pods.flatMap(hostPorts);
  return wanted.some((a) => taken.some((b) => clash(a, b)));
}

function hostPorts(pod: Pod): ContainerPort[] {
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  // With hostNetwork every port of a container is one of the node.
  const onHost = pod.spec.hostNetwork ? ports.map((port) => ({ ...port, hostPort: port.containerPort })) : ports;
  return onHost.filter((port) => port.hostPort !== undefined && port.hostPort !== 0);
}

function clash(a: ContainerPort, b: ContainerPort): boolean {
  const any = (ip: string | undefined) => ip === undefined || ip === '' || ip === '0.0.0.0' || ip === '::';
  const sameIp = any(a.hostIP) || any(b.hostIP) || a.hostIP === b.hostIP;
  return a.hostPort === b.hostPort && (a.protocol ?? 'TCP') === (b.protocol ?? 'TCP') && sameIp;
}
