/** What `kubectl get pods` prints: the rules of Kubernetes' printers for a pod's one-word status. */
import { ageOf } from '#spec/kinds/age.ts';
import { AGE, column, NAME, orNone } from '#spec/kinds/columns/common.ts';
import { at, isObject, type JsonObject, listAt, numberAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { Column, KubeObject } from '#spec/kinds/kind.ts';

interface Summary {
  readonly reason: string;
  readonly ready: number;
  readonly total: number;
  readonly restarts: number;
  /** RFC 3339, '' if no container was restarted. */
  readonly lastRestart: string;
}

export const POD_COLUMNS: readonly Column[] = [
  NAME,
  column('Ready', 'Containers that are ready, of all.', (pod) => {
    const { ready, total } = summaryOf(pod);
    return `${ready}/${total}`;
  }),
  column('Status', 'The phase, or the reason that says more.', (pod) => summaryOf(pod).reason),
  column('Restarts', 'How often containers were restarted, and when last.', restartsCell),
  AGE,
  column('IP', 'Address of the pod.', (pod) => orNone(podAddress(pod)), { wide: true }),
  column('Node', 'Node that the pod is bound to.', (pod) => orNone(textAt(pod, 'spec', 'nodeName')), { wide: true }),
  column('Nominated Node', 'Node that preemption makes room on.', nominated, { wide: true }),
  column('Readiness Gates', 'Conditions that the pod declares for its readiness.', gatesCell, { wide: true }),
];

function podAddress(pod: KubeObject): string {
  const first = objectsAt(pod, 'status', 'podIPs')[0];
  return first === undefined ? textAt(pod, 'status', 'podIP') : textAt(first, 'ip');
}

function nominated(pod: KubeObject): string {
  return orNone(textAt(pod, 'status', 'nominatedNodeName'));
}

function restartsCell(pod: KubeObject, now: number): string {
  const { restarts, lastRestart } = summaryOf(pod);
  return restarts > 0 && lastRestart !== '' ? `${restarts} (${ageOf(lastRestart, now)} ago)` : `${restarts}`;
}

function gatesCell(pod: KubeObject): string {
  const gates = objectsAt(pod, 'spec', 'readinessGates');
  if (gates.length === 0) return '<none>';
  const met = gates.filter((gate) => conditionIsTrue(pod, textAt(gate, 'conditionType'))).length;
  return `${met}/${gates.length}`;
}

function conditionIsTrue(pod: KubeObject, type: string): boolean {
  return objectsAt(pod, 'status', 'conditions').some((one) => one.type === type && one.status === 'True');
}

function isSidecar(container: JsonObject | undefined): boolean {
  return container?.restartPolicy === 'Always';
}

/** Restarts, readiness and the word for the status, of all containers. */
function summaryOf(pod: KubeObject): Summary {
  const inits = initSummary(pod);
  const mains = mainSummary(pod, inits);
  const useMains = inits.reason === undefined || conditionIsTrue(pod, 'Initialized');
  const reason = useMains ? mains.reason : (inits.reason ?? '');
  return {
    reason: deletionReason(pod) ?? reason,
    ready: inits.ready + (useMains ? mains.ready : 0),
    total: listAt(pod, 'spec', 'containers').length + objectsAt(pod, 'spec', 'initContainers').filter(isSidecar).length,
    restarts: useMains ? inits.sidecarRestarts + mains.restarts : inits.restarts,
    lastRestart: useMains ? later(inits.lastRestart, mains.lastRestart) : inits.lastRestart,
  };
}

function deletionReason(pod: KubeObject): string | undefined {
  if (textAt(pod, 'metadata', 'deletionTimestamp') === '') return undefined;
  if (textAt(pod, 'status', 'reason') === 'NodeLost') return 'Unknown';
  const phase = textAt(pod, 'status', 'phase');
  return phase === 'Failed' || phase === 'Succeeded' ? undefined : 'Terminating';
}

interface InitSummary {
  /** Why the pod still initialises; undefined when it is past that. */
  readonly reason: string | undefined;
  readonly restarts: number;
  readonly sidecarRestarts: number;
  readonly ready: number;
  readonly lastRestart: string;
}

function initSummary(pod: KubeObject): InitSummary {
  const containers = new Map(objectsAt(pod, 'spec', 'initContainers').map((one) => [textAt(one, 'name'), one]));
  let [restarts, sidecarRestarts, ready, lastRestart] = [0, 0, 0, ''];
  for (const [index, status] of objectsAt(pod, 'status', 'initContainerStatuses').entries()) {
    const sidecar = isSidecar(containers.get(textAt(status, 'name')));
    restarts += numberAt(status, 'restartCount') ?? 0;
    lastRestart = later(lastRestart, textAt(status, 'lastState', 'terminated', 'finishedAt'));
    if (sidecar) sidecarRestarts += numberAt(status, 'restartCount') ?? 0;
    if (numberAt(status, 'state', 'terminated', 'exitCode') === 0) continue;
    if (sidecar && status.started === true) {
      if (status.ready === true) ready += 1;
      continue;
    }
    const reason = initReason(status, index, containers.size);
    return { reason, restarts, sidecarRestarts, ready, lastRestart };
  }
  return { reason: undefined, restarts, sidecarRestarts, ready, lastRestart };
}

function initReason(status: JsonObject, index: number, count: number): string {
  const ended = at(status, 'state', 'terminated');
  if (isObject(ended)) return `Init:${endReason(ended)}`;
  const waiting = textAt(status, 'state', 'waiting', 'reason');
  return waiting !== '' && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${index}/${count}`;
}

function mainSummary(pod: KubeObject, inits: InitSummary): Omit<Summary, 'total'> {
  let reason = phaseReason(pod);
  let [ready, restarts, running, lastRestart] = [0, 0, false, ''];
  for (const status of objectsAt(pod, 'status', 'containerStatuses').reverse()) {
    restarts += numberAt(status, 'restartCount') ?? 0;
    lastRestart = later(lastRestart, textAt(status, 'lastState', 'terminated', 'finishedAt'));
    const said = stateReason(status);
    if (said !== undefined) reason = said;
    else if (status.ready === true && isObject(at(status, 'state', 'running'))) {
      running = true;
      ready += 1;
    }
  }
  if (reason === 'Completed' && running) reason = conditionIsTrue(pod, 'Ready') ? 'Running' : 'NotReady';
  if (inits.reason !== undefined && !conditionIsTrue(pod, 'Initialized')) reason = inits.reason;
  return { reason, ready, restarts, lastRestart };
}

function phaseReason(pod: KubeObject): string {
  const gated = objectsAt(pod, 'status', 'conditions').some(
    (one) => one.type === 'PodScheduled' && one.reason === 'SchedulingGated',
  );
  if (gated) return 'SchedulingGated';
  const reason = textAt(pod, 'status', 'reason');
  return reason === '' ? textAt(pod, 'status', 'phase') : reason;
}

function stateReason(status: JsonObject): string | undefined {
  const waiting = textAt(status, 'state', 'waiting', 'reason');
  if (waiting !== '') return waiting;
  const ended = at(status, 'state', 'terminated');
  return isObject(ended) ? endReason(ended) : undefined;
}

function endReason(ended: JsonObject): string {
  const reason = textAt(ended, 'reason');
  if (reason !== '') return reason;
  const signal = numberAt(ended, 'signal') ?? 0;
  return signal === 0 ? `ExitCode:${numberAt(ended, 'exitCode') ?? 0}` : `Signal:${signal}`;
}

function later(a: string, b: string): string {
  return (Date.parse(b) || 0) > (Date.parse(a) || 0) ? b : a;
}
