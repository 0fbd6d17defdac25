/** A pod's status as the API shows it, computed from what the kubelet knows. Pure. */

import {
  type ContainerStateStatus,
  type ContainerStatus,
  isSidecar,
  type PodContainer,
  type PodStatus,
  type RunnablePod,
  restartPolicyOf,
  type TerminatedStatus,
} from '#lab/kubelet/pod.ts';
import type { ContainerRecord } from '#lab/kubelet/runtime/container.ts';
import { isDone } from '#lab/kubelet/status/decide.ts';
import { qosClass } from '#lab/kubelet/status/qos.ts';
import { type ContainerView, isRunning, type PodView, viewOf } from '#lab/kubelet/status/view.ts';
import type { Condition, PodPhase } from '#spec/k8s.ts';

export interface StatusFacts {
  /** `runc`: scheme of container ids. */
  readonly runtimeName: string;
  readonly hostIp: string;
  /** When the kubelet first saw the pod. */
  readonly startTime: string;
  /** Conditions as last computed: newer than those that the API has given back. */
  readonly own?: readonly Condition[];
}

/** The whole status; conditions keep the transition times of `pod.status` where nothing changed. */
export function podStatus(view: PodView, facts: StatusFacts): PodStatus {
  const { pod } = view;
  const inits = (pod.spec.initContainers ?? []).map((c) => containerStatus(view, c, facts, true));
  const mains = pod.spec.containers.map((c) => containerStatus(view, c, facts, false));
  const ephemerals = (pod.spec.ephemeralContainers ?? []).map((c) => containerStatus(view, c, facts, false));
  const phase = phaseOf(view, inits, mains);
  const ips = view.sandbox?.ips ?? [];
  return {
    phase,
    ...(view.verdict ?? {}),
    conditions: conditionsOf(view, phase, inits, mains, facts.own ?? []),
    hostIP: facts.hostIp,
    hostIPs: [{ ip: facts.hostIp }],
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: facts.startTime,
    qosClass: qosClass(pod.spec),
    ...(inits.length === 0 ? {} : { initContainerStatuses: inits }),
    containerStatuses: mains,
    ...(ephemerals.length === 0 ? {} : { ephemeralContainerStatuses: ephemerals }),
  };
}

function containerStatus(view: PodView, container: PodContainer, facts: StatusFacts, init: boolean): ContainerStatus {
  const known = viewOf(view, container.name);
  const state = stateOf(view, container, known, facts, init);
  const running = isRunning(known);
  const isOneShot = init && !isSidecar(container);
  const previous = state.waiting !== undefined && known.latest?.exit ? known.latest : known.previous;
  return {
    name: container.name,
    state,
    lastState: previous?.exit === undefined ? {} : { terminated: terminated(previous, facts) },
    ready: isOneShot ? known.latest?.exit?.code === 0 : running && known.ready,
    started: isOneShot ? running : running && known.started,
    restartCount: known.latest?.attempt ?? 0,
    image: known.latest?.image ?? container.image ?? '',
    imageID: known.latest?.imageId ?? '',
    ...(known.latest === undefined ? {} : { containerID: `${facts.runtimeName}://${known.latest.id}` }),
  };
}

function stateOf(
  view: PodView,
  container: PodContainer,
  known: ContainerView,
  facts: StatusFacts,
  init: boolean,
): ContainerStateStatus {
  const { latest } = known;
  if (latest !== undefined && isRunning(known)) return { running: { startedAt: latest.startedAt ?? '' } };
  if (latest?.exit !== undefined && !waitsForRestart(view, container, known, init)) {
    return { terminated: terminated(latest, facts) };
  }
  // What never ran and never will is not waiting any more.
  if (view.verdict !== undefined) return { terminated: NEVER_RAN };
  return { waiting: waitingOf(view, container, known, init) };
}

const NEVER_RAN: TerminatedStatus = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
  startedAt: null,
  finishedAt: null,
};

/** Ended, to be started again, and not due yet (or in trouble): shown as waiting, its end as `lastState`. */
function waitsForRestart(view: PodView, container: PodContainer, known: ContainerView, init: boolean): boolean {
  if (view.ending || isDone(view)) return false;
  const policy = restartPolicyOf(view.pod, container, init);
  const again = policy === 'Always' || (policy === 'OnFailure' && known.latest?.exit?.code !== 0);
  return again && (known.trouble !== undefined || (known.notBefore ?? 0) > view.now);
}

function waitingOf(
  view: PodView,
  container: PodContainer,
  known: ContainerView,
  init: boolean,
): { reason: string; message?: string } {
  if (known.trouble !== undefined) return known.trouble;
  if (known.latest?.exit !== undefined) {
    return { reason: 'CrashLoopBackOff', message: backoffMessage(view.pod, container.name, known.backoffMs ?? 0) };
  }
  const others = (view.pod.spec.initContainers ?? []).length > 0;
  return { reason: others && (!init || known.latest === undefined) ? 'PodInitializing' : 'ContainerCreating' };
}

/** As the kubelet words it: `back-off 10s restarting failed container=web pod=web_default(1234…)`. */
export function backoffMessage(pod: RunnablePod, container: string, waitMs: number): string {
  return `back-off ${goDuration(waitMs)} restarting failed container=${container} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
}

/** `10s`, `1m20s`, `5m0s`. */
function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

function terminated(record: ContainerRecord, facts: StatusFacts): TerminatedStatus {
  const exit = record.exit;
  return {
    exitCode: exit?.code ?? 137,
    reason: exit?.reason ?? 'Error',
    ...(exit?.message ? { message: exit.message } : {}),
    startedAt: seconds(record.startedAt ?? record.createdAt),
    finishedAt: seconds(exit?.finishedAt ?? record.createdAt),
    containerID: `${facts.runtimeName}://${record.id}`,
  };
}

/** metav1.Time has whole seconds. */
export function seconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z');
}

/** The rules of the kubelet's `getPhase`. */
function phaseOf(view: PodView, inits: readonly ContainerStatus[], mains: readonly ContainerStatus[]): PodPhase {
  if (view.verdict !== undefined) return 'Failed';
  const never = view.pod.spec.restartPolicy === 'Never';
  const pending = inits.filter((s, i) => !isInitThrough(view, i, s));
  const anyStarted = mains.some((s) => s.state.running || s.state.terminated || s.lastState.terminated);
  if (never && pending.some((s) => (s.state.terminated?.exitCode ?? 0) !== 0)) return 'Failed';
  if (pending.length > 0 && !anyStarted) return 'Pending';
  if (mains.some((s) => s.state.waiting && !s.lastState.terminated)) return 'Pending';
  if (mains.some((s) => s.state.running)) return 'Running';
  return stoppedPhase(view.pod.spec.restartPolicy ?? 'Always', mains);
}

function isInitThrough(view: PodView, index: number, status: ContainerStatus): boolean {
  const container = view.pod.spec.initContainers?.[index];
  if (container !== undefined && isSidecar(container)) return status.started;
  return status.state.terminated?.exitCode === 0;
}

/** No container runs, all have run. */
function stoppedPhase(policy: string, mains: readonly ContainerStatus[]): PodPhase {
  if (policy === 'Always') return 'Running';
  if (mains.every((s) => s.state.terminated?.exitCode === 0)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function conditionsOf(
  view: PodView,
  phase: PodPhase,
  inits: readonly ContainerStatus[],
  mains: readonly ContainerStatus[],
  known: readonly Condition[],
): Condition[] {
  const before = view.pod.status?.conditions ?? [];
  const done = phase === 'Succeeded';
  const initialized = initializedOf(view, inits, done);
  const containers = readyOf('ContainersReady', view, mains, phase);
  const gates = (view.pod.spec.readinessGates ?? []).map((gate) => gate.conditionType);
  const closed = gates.filter((type) => before.find((c) => c.type === type)?.status !== 'True');
  const ready: Bare =
    containers.status === 'True' && closed.length > 0
      ? {
          type: 'Ready',
          status: 'False',
          reason: 'ReadinessGatesNotReady',
          message: `readiness gates not true: ${closed.join(' ')}`,
        }
      : { ...containers, type: 'Ready' };
  const sandboxed: Bare = {
    type: 'PodReadyToStartContainers',
    status: view.sandbox?.state === 'ready' ? 'True' : 'False',
  };
  const own: Bare[] = [sandboxed, initialized, ready, containers, { type: 'PodScheduled', status: 'True' }];
  const types = new Set(own.map((c) => c.type));
  return [
    ...own.map((c) => withTime(c, known.length > 0 ? known : before, view.now)),
    ...before.filter((c) => !types.has(c.type)),
  ];
}

type Bare = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

function withTime(condition: Bare, before: readonly Condition[], now: number): Condition {
  const old = before.find((c) => c.type === condition.type);
  const since = old?.status === condition.status ? old.lastTransitionTime : undefined;
  return { ...condition, lastProbeTime: null, lastTransitionTime: since ?? seconds(new Date(now).toISOString()) };
}

function initializedOf(view: PodView, inits: readonly ContainerStatus[], done: boolean): Bare {
  const type = 'Initialized';
  if (done) return { type, status: 'True', reason: 'PodCompleted' };
  const open = inits.filter((s, i) => !isInitThrough(view, i, s)).map((s) => s.name);
  const everStarted = view.pod.spec.containers.some((c) => viewOf(view, c.name).latest !== undefined);
  if (open.length === 0 || everStarted) return { type, status: 'True' };
  return {
    type,
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${open.join(' ')}]`,
  };
}

function readyOf(type: string, view: PodView, mains: readonly ContainerStatus[], phase: PodPhase): Bare {
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' };
  const unready = mains.filter((s) => !s.ready).map((s) => s.name);
  if (unready.length === 0 && view.sandbox?.state === 'ready') return { type, status: 'True' };
  return {
    type,
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}
