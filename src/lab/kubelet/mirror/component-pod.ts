/** A program of the lab as a pod: what `kubectl get pods -n kube-system` shows of it. Pure. */

import { createHash } from 'node:crypto';
import { constants } from 'node:os';
import type { Component } from '#lab/components.ts';
import { HASH, SEEN, SOURCE } from '#lab/kubelet/mirror/static-pod.ts';
import type {
  ContainerStateStatus,
  ContainerStatus,
  PodStatus,
  RunnablePod,
  RunnablePodSpec,
  TerminatedStatus,
} from '#lab/kubelet/pod.ts';
import type { Condition } from '#spec/k8s.ts';

/** No image of any registry: the programs are Polder's own. */
const IMAGE = 'polder:0.1.0';
const NAMESPACE = 'kube-system';
const SIGNALLED = 128;
const KILLED = 137;

/** `seen`: when the kubelet first heard of it, RFC 3339. */
export function componentPod(component: Component, node: string, seen: string): RunnablePod {
  const { name, tier, command } = component;
  const labels = { component: name, tier, ...component.labels };
  const container = { name, image: IMAGE, imagePullPolicy: 'Never', command };
  const spec: RunnablePodSpec = {
    nodeName: node,
    hostNetwork: true,
    priorityClassName: 'system-node-critical',
    tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
    containers: [container],
  };
  const uid = createHash('md5')
    .update(JSON.stringify([node, name, labels, spec]))
    .digest('hex');
  const annotations = { [HASH]: uid, [SEEN]: seen, [SOURCE]: 'supervisor' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${name}-${node}`, namespace: NAMESPACE, uid, labels, annotations },
    spec,
  };
}

export interface Host {
  /** Of the node. */
  readonly ips: readonly string[];
  /** ms since the epoch. */
  readonly now: number;
  /** The conditions as last told, for their times. */
  readonly before: readonly Condition[];
}

/** The status of its pod, from what the supervisor says. */
export function componentStatus(component: Component, { ips, now, before }: Host): PodStatus {
  const container = containerStatus(component);
  const since = component.status.since ?? component.status.lastRun?.from ?? now;
  const own = component.addr === undefined ? ips : [component.addr];
  const ready = container.ready ? 'True' : 'False';
  const notReady = container.ready
    ? {}
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${component.name}]` };
  const conditions = [
    { type: 'PodReadyToStartContainers', status: 'True' as const },
    { type: 'Initialized', status: 'True' as const },
    { type: 'Ready', status: ready, ...notReady } as const,
    { type: 'ContainersReady', status: ready, ...notReady } as const,
    { type: 'PodScheduled', status: 'True' as const },
  ];
  return {
    phase: container.state.waiting?.reason === 'ContainerCreating' ? 'Pending' : 'Running',
    conditions: conditions.map((one) => {
      const old = before.find(({ type, status }) => type === one.type && status === one.status);
      return { ...one, lastProbeTime: null, lastTransitionTime: old?.lastTransitionTime ?? timeText(now) };
    }),
    hostIP: ips[0] ?? '',
    hostIPs: ips.map((ip) => ({ ip })),
    ...(own[0] === undefined ? {} : { podIP: own[0], podIPs: own.map((ip) => ({ ip })) }),
    startTime: timeText(since),
    qosClass: 'BestEffort',
    containerStatuses: [container],
  };
}

function containerStatus({ name, status }: Component): ContainerStatus {
  const running = status.pid !== undefined;
  const last = lastEnd(status);
  return {
    name,
    state: stateOf(status),
    lastState: last === undefined ? {} : { terminated: last },
    ready: running,
    started: running,
    restartCount: status.restarts,
    image: IMAGE,
    imageID: '',
    ...(status.pid === undefined ? {} : { containerID: `process://${status.pid}` }),
  };
}

function stateOf({ pid, since, state, failures, lastEnd: how }: Component['status']): ContainerStateStatus {
  if (pid !== undefined) return { running: { startedAt: timeText(since ?? 0) } };
  if (state === 'restarting')
    return { waiting: { reason: 'CrashLoopBackOff', message: `ended ${failures} times in a row, last by ${how}` } };
  return { waiting: { reason: 'ContainerCreating' } };
}

/** How it ended before it was started again. */
function lastEnd({ lastEnd: how, lastRun }: Component['status']): TerminatedStatus | undefined {
  if (how === undefined || lastRun?.from === undefined) return undefined;
  const times = { startedAt: timeText(lastRun.from), finishedAt: timeText(lastRun.to) };
  const code = /^exit status (\d+)$/.exec(how)?.[1];
  if (code !== undefined) return { exitCode: Number(code), reason: code === '0' ? 'Completed' : 'Error', ...times };
  const signal = Object.entries(constants.signals).find(([name]) => name === how)?.[1];
  // Another supervisor's child: that it ended is all that is known.
  if (signal === undefined) return { exitCode: KILLED, reason: 'ContainerStatusUnknown', ...times };
  return { exitCode: SIGNALLED + signal, signal, reason: 'Error', ...times };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
