/** Which Services may have other backends because of a change. */

import type { Change } from '#feed/store.ts';
import { isOf } from '#serve/controller/controller.ts';
import { selects } from '#serve/controller/endpoints/backends.ts';
import type { World } from '#serve/controller/world.ts';
import { type KubeObject, PODS, type Pod, type Resource } from '#spec/k8s.ts';
import { SERVICES } from '#spec/services.ts';

/** Keys of Services; empty for kinds that only one of the two controllers looks at. */
export function servicesOf(resource: Resource<KubeObject>, change: Change<KubeObject>, world: World): string[] {
  if (isOf(SERVICES, resource, change)) return [change.key];
  if (!isOf(PODS, resource, change)) return [];
  const before = change.type === 'set' ? change.previous : undefined;
  if (before !== undefined && same(before, change.object)) return [];
  const states = before === undefined ? [change.object] : [before, change.object];
  const found = [...world.of(SERVICES)].filter(([, service]) => states.some((pod) => selects(service, pod)));
  return found.map(([key]) => key);
}

/** Most changes of a pod change nothing for its Services. */
function same(a: Pod, b: Pod): boolean {
  const text = ({ metadata, spec, status }: Pod) =>
    JSON.stringify([
      metadata.labels,
      metadata.deletionTimestamp,
      spec.nodeName,
      status?.phase,
      status?.podIPs ?? status?.podIP,
      status?.conditions?.find((one) => one.type === 'Ready')?.status,
    ]);
  return text(a) === text(b);
}
