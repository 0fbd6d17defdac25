/** A pod's quality of service (Kubernetes: "Pod Quality of Service Classes"). */

import type { RunnablePodSpec } from '#lab/kubelet/pod.ts';

const COUNTED = ['cpu', 'memory'] as const;

export function qosClass(spec: Pick<RunnablePodSpec, 'containers' | 'initContainers'>): string {
  const all = [...spec.containers, ...(spec.initContainers ?? [])].map((c) => c.resources ?? {});
  const any = all.some(({ requests, limits }) => COUNTED.some((r) => requests?.[r] ?? limits?.[r]));
  if (!any) return 'BestEffort';
  const guaranteed = all.every(({ requests, limits }) =>
    COUNTED.every((r) => limits?.[r] !== undefined && (requests?.[r] ?? limits[r]) === limits[r]),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
