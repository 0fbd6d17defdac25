/**
 * Pods that a kubelet has from a file. To the runtime it names them by a hash in place of a UID; what the API has of them
 * is a mirror with a UID of its own, which carries the hash as an annotation.
 */

import type { Annotations } from '#cni/plugins/polder-multi/cluster.ts';
import type { ObjectMeta } from '#spec/k8s.ts';

/** `file`, `http` or `api`; written by the kubelet. */
const SOURCE = 'kubernetes.io/config.source';
const MIRROR = 'kubernetes.io/config.mirror';
const HASH = 'kubernetes.io/config.hash';

/** True if the object of the API is the pod that the kubelet gave this UID. */
export function isPodWith({ uid, annotations = {} }: ObjectMeta, wanted: string): boolean {
  return [uid, annotations[MIRROR], annotations[HASH]].includes(wanted);
}

/** @param annotations those that the kubelet knows, or the mirror's */
export function isStatic(annotations: Annotations): boolean {
  return annotations[MIRROR] !== undefined || (annotations[SOURCE] ?? 'api') !== 'api';
}
