/** Should a DaemonSet's pod run on this node? */

import { daemonTolerations } from '#serve/controller/daemonset/pod.ts';
import { wantsNode } from '#serve/controller/match/node-affinity.ts';
import { effectiveTaints, untolerated } from '#serve/controller/match/taints.ts';
import type { DaemonSet, Node } from '#spec/k8s.ts';

export interface Eligibility {
  /** A pod is to be there. */
  readonly run: boolean;
  /** A pod that is there may stay. */
  readonly stay: boolean;
}

export function eligibility(set: DaemonSet, node: Node): Eligibility {
  const { spec } = set.spec.template;
  if ((spec.nodeName && spec.nodeName !== node.metadata.name) || !wantsNode(spec, node)) {
    return { run: false, stay: false };
  }
  const taints = effectiveTaints(node);
  const tolerations = daemonTolerations(set);
  return {
    run: untolerated(taints, tolerations, ['NoSchedule', 'NoExecute']) === undefined,
    stay: untolerated(taints, tolerations, ['NoExecute']) === undefined,
  };
}
