/** Writing a status only when it says something new. */

import type { Write } from '#serve/controller/write.ts';
import type { KubeObject, Resource } from '#spec/k8s.ts';

/** The write that brings the status there; none if it is there. A number that is missing is 0. */
export function statusWrites(
  resource: Resource<KubeObject>,
  base: KubeObject & { readonly status?: object },
  status: object,
): Write[] {
  const known: Readonly<Record<string, unknown>> = { ...base.status };
  const same = Object.entries(status).every(([key, value]) => isSame(known[key], value));
  return same ? [] : [{ verb: 'patch', resource, base, patch: { status }, subresource: 'status' }];
}

function isSame(known: unknown, value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value === 'number') return (known ?? 0) === value;
  return JSON.stringify(known) === JSON.stringify(value);
}
