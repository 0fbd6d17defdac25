/** Names a pod template by its content, as the label `controller-revision-hash`. */

import { createHash } from 'node:crypto';
import type { PodTemplateSpec } from '#spec/k8s.ts';

/** No vowels and nothing that looks like another letter, so that no word comes of it (Kubernetes' safe alphabet). */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** Ten characters; the same for templates that differ only in the order of keys. `collisions` asks for another one. */
export function templateHash(template: PodTemplateSpec, collisions = 0): string {
  const text = collisions === 0 ? canonical(template) : `${canonical(template)}${collisions}`;
  const digest = createHash('sha256').update(text).digest();
  return Array.from(digest.subarray(0, 10), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/** JSON that does not depend on the order of keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
