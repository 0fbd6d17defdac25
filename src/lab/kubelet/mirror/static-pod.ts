/** Static pods and their mirrors: how they are known (Kubernetes "Create static Pods"). */

import type { RunnablePod } from '#lab/kubelet/pod.ts';
import { MIRROR } from '#spec/k8s.ts';

export const HASH = 'kubernetes.io/config.hash';
export const SEEN = 'kubernetes.io/config.seen';
export const SOURCE = 'kubernetes.io/config.source';

/** Whether a pod of this uid is static: the API server's own uids have dashes, and nobody else gives any. */
export function isStaticUid(uid: string): boolean {
  return /^[0-9a-f]{32}$/.test(uid);
}

/** The object that shows a static pod in the API, which gives it a uid of its own. */
export function mirrorOf(pod: RunnablePod, node: { readonly name: string; readonly uid: string }): RunnablePod {
  const { metadata, spec } = pod;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [MIRROR]: metadata.uid },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid, controller: true }],
    },
    spec,
  };
}
