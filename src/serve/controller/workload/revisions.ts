/**
 * States of a template, kept as ControllerRevisions (apps/v1): for rollouts in parts, and for `kubectl rollout history`
 * and `undo`. StatefulSets and DaemonSets have them; a Deployment has its ReplicaSets.
 */

import { templateHash } from '#serve/controller/daemonset/hash.ts';
import { type Claims, claim, type Owner } from '#serve/controller/workload/claim.ts';
import type { World } from '#serve/controller/world.ts';
import { ownedBy, type Write } from '#serve/controller/write.ts';
import type { PodTemplateSpec, Resource } from '#spec/k8s.ts';
import { CONTROLLER_REVISIONS, type ControllerRevision } from '#spec/workloads.ts';

/** Label of a pod: the revision that it was made of. Of a revision: its hash. */
export const REVISION_LABEL = 'controller-revision-hash';

export interface Revisioned extends Owner {
  readonly spec: Owner['spec'] & { readonly template: PodTemplateSpec; readonly revisionHistoryLimit?: number };
}

export function revisionsOf<T extends Revisioned>(kind: Resource<T>, set: T, world: World): Claims<ControllerRevision> {
  return claim(kind, set, CONTROLLER_REVISIONS, world);
}

export function updateName(set: Revisioned): string {
  return `${set.metadata.name}-${templateHash(set.spec.template)}`;
}

/** The revision of the template as it is: made, or given the highest number again after an undo. `label`: its hash. */
export function keepRevision<T extends Revisioned>(
  kind: Resource<T>,
  set: T,
  revisions: readonly ControllerRevision[],
  label = updateName(set),
): Write[] {
  const name = updateName(set);
  const highest = Math.max(0, ...revisions.map(({ revision }) => revision));
  const found = revisions.find(({ metadata }) => metadata.name === name);
  if (found === undefined) return [create(kind, set, name, label, highest + 1)];
  if (found.revision === highest) return [];
  const patch = { revision: highest + 1 };
  return [{ verb: 'patch', resource: CONTROLLER_REVISIONS, base: found, patch }];
}

function create<T extends Revisioned>(kind: Resource<T>, set: T, name: string, label: string, revision: number): Write {
  const { namespace } = set.metadata;
  const object = {
    apiVersion: 'apps/v1',
    kind: CONTROLLER_REVISIONS.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...set.spec.template.metadata?.labels, [REVISION_LABEL]: label },
      ownerReferences: [ownedBy(kind, set)],
    },
    data: { spec: { template: { ...set.spec.template, $patch: 'replace' } } },
    revision,
  };
  return { verb: 'create', resource: CONTROLLER_REVISIONS, object };
}

/** The template of a revision; that of the set where it is not known. */
export function templateOf(set: Revisioned, name: string, revisions: readonly ControllerRevision[]): PodTemplateSpec {
  if (name === updateName(set)) return set.spec.template;
  const found = revisions.find(({ metadata }) => metadata.name === name)?.data?.spec?.template;
  return found === undefined ? set.spec.template : { metadata: found.metadata ?? {}, spec: found.spec };
}

/** Deletions of what is beyond the history; what pods are made of stays. */
export function surplus(
  set: Revisioned,
  revisions: readonly ControllerRevision[],
  live: ReadonlySet<string | undefined>,
): Write[] {
  const idle = revisions.filter(({ metadata }) => !live.has(metadata.name)).sort((a, b) => a.revision - b.revision);
  const kept = set.spec.revisionHistoryLimit ?? 10;
  return idle
    .slice(0, Math.max(0, idle.length - kept))
    .map((object) => ({ verb: 'delete', resource: CONTROLLER_REVISIONS, object }));
}
