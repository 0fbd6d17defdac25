/** The pod that a DaemonSet wants on a node. */

import {
  DISK_PRESSURE,
  MEMORY_PRESSURE,
  NETWORK_UNAVAILABLE,
  NOT_READY,
  PID_PRESSURE,
  UNREACHABLE,
  UNSCHEDULABLE,
} from '#serve/controller/match/taints.ts';
import { ownedBy } from '#serve/controller/write.ts';
import { type Affinity, DAEMON_SETS, type DaemonSet, type Pod, type Toleration } from '#spec/k8s.ts';

export const HASH_LABEL = 'controller-revision-hash';
export const GENERATION_LABEL = 'pod-template-generation';

/** Daemons stay on nodes in trouble (Kubernetes "DaemonSet: Taints and tolerations"). */
const TOLERATIONS: readonly Toleration[] = [
  { key: NOT_READY, operator: 'Exists', effect: 'NoExecute' },
  { key: UNREACHABLE, operator: 'Exists', effect: 'NoExecute' },
  { key: DISK_PRESSURE, operator: 'Exists', effect: 'NoSchedule' },
  { key: MEMORY_PRESSURE, operator: 'Exists', effect: 'NoSchedule' },
  { key: PID_PRESSURE, operator: 'Exists', effect: 'NoSchedule' },
  { key: UNSCHEDULABLE, operator: 'Exists', effect: 'NoSchedule' },
];
const HOST_NETWORK_TOLERATION: Toleration = { key: NETWORK_UNAVAILABLE, operator: 'Exists', effect: 'NoSchedule' };

/** The tolerations of the set's pods: the template's and those that every daemon has. */
export function daemonTolerations({ spec }: DaemonSet): Toleration[] {
  const own = spec.template.spec.tolerations ?? [];
  const added = spec.template.spec.hostNetwork ? [...TOLERATIONS, HOST_NETWORK_TOLERATION] : TOLERATIONS;
  const missing = added.filter(
    (t) => !own.some((o) => o.key === t.key && o.operator === t.operator && o.effect === t.effect),
  );
  return [...own, ...missing];
}

/** Bound to its node by an affinity for the node's name, which the scheduler carries out. */
export function daemonPod(set: DaemonSet, node: string, hash: string): Pod {
  const { metadata = {}, spec } = set.spec.template;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${set.metadata.name}-`,
      ...(set.metadata.namespace === undefined ? {} : { namespace: set.metadata.namespace }),
      labels: { ...metadata.labels, [HASH_LABEL]: hash, [GENERATION_LABEL]: String(set.metadata.generation ?? 1) },
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ...(metadata.finalizers === undefined ? {} : { finalizers: metadata.finalizers }),
      ownerReferences: [ownedBy(DAEMON_SETS, set)],
    },
    spec: { ...spec, affinity: pinned(spec.affinity, node), tolerations: daemonTolerations(set) },
  };
}

/** The node's name takes the place of the template's required terms: the controller has checked those. */
function pinned(affinity: Affinity | undefined, node: string): Affinity {
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
      },
    },
  };
}

/** The node that a daemon's pod is on or is meant for. */
export function targetNode(pod: Pod): string | undefined {
  if (pod.spec.nodeName) return pod.spec.nodeName;
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const field = terms?.flatMap((term) => term.matchFields ?? []).find((r) => r.key === 'metadata.name');
  return field?.values?.[0];
}
