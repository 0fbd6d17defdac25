/**
 * Deletes what has no owner any more, by ownerReferences (Kubernetes "Garbage Collection").
 *
 * Background: an object whose owners are all gone is deleted. Foreground and orphan: the owner stays, being deleted,
 * under a finalizer until its dependents are gone, or have been let go.
 */

import type { Controller } from '#serve/controller/controller.ts';
import type { World } from '#serve/controller/world.ts';
import { decision, NOTHING, type Write } from '#serve/controller/write.ts';
import { CRON_JOBS, JOBS } from '#spec/batch.ts';
import { DISRUPTION_BUDGETS } from '#spec/disruption.ts';
import {
  apiVersionOf,
  DAEMON_SETS,
  type KubeObject,
  keyOf,
  keyText,
  LEASES,
  NAMESPACES,
  NODES,
  type ObjectKey,
  type OwnerReference,
  PODS,
  type Resource,
  SERVICE_ACCOUNTS,
} from '#spec/k8s.ts';
import { CLUSTER_ROLES } from '#spec/rbac.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '#spec/services.ts';
import { CONTROLLER_REVISIONS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS } from '#spec/workloads.ts';

/** Kubernetes' own kinds that controllers watch: nothing is collected before they are known whole. */
export const USUAL: readonly Resource<KubeObject>[] = [
  NAMESPACES,
  NODES,
  DAEMON_SETS,
  DEPLOYMENTS,
  REPLICA_SETS,
  STATEFUL_SETS,
  CONTROLLER_REVISIONS,
  JOBS,
  CRON_JOBS,
  PODS,
  SERVICES,
  ENDPOINT_SLICES,
  ENDPOINTS,
  SERVICE_ACCOUNTS,
  LEASES,
  CLUSTER_ROLES,
  DISRUPTION_BUDGETS,
];

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

type Kinds = readonly Resource<KubeObject>[];

/** `others`: further kinds that are known whole by now. A reference to any other kind is left alone: nothing is known of its owner. */
export function garbageCollector(others: () => Kinds = () => []): Controller {
  const all = (): Kinds => [...USUAL, ...others()];
  return {
    name: 'gc',
    needs: USUAL,
    keys: (world) => all().flatMap((kind) => [...world.of(kind).keys()].map((key) => workKey(kind, key))),
    wake(resource, change, world) {
      const kinds = all();
      if (!kinds.some((kind) => isSame(kind, resource))) return [];
      // Dependents of what is gone, and owners that wait for a dependent's end.
      if (change.type === 'delete') {
        return [...dependentKeys(kinds, change.object, world), ...ownerKeys(kinds, change.object)];
      }
      const own = workKey(resource, change.key);
      // Owners that wait until all their dependents are let go.
      const { previous } = change;
      const differ = previous !== undefined && ownersDiffer(previous, change.object);
      return differ ? [own, ...ownerKeys(kinds, previous)] : [own];
    },
    decide(world, key) {
      const kinds = all();
      const [place, name = ''] = split(key);
      const kind = kinds.find((each) => placeOf(each) === place);
      const object = kind === undefined ? undefined : world.of(kind).get(name);
      if (kind === undefined || object === undefined) return NOTHING;
      if (object.metadata.deletionTimestamp !== undefined) return decision(finish(kinds, kind, object, world));
      return decision(collect(kinds, kind, object, world));
    },
  };
}

/** The object's deletion, if every owner is gone. The API itself is asked about the last one before. */
function collect(kinds: Kinds, kind: Resource<KubeObject>, object: KubeObject, world: World): Write[] {
  const owners = object.metadata.ownerReferences ?? [];
  const gone = owners.filter((owner) => ownerOf(kinds, owner, object, world) === 'gone');
  const last = gone[0];
  if (last === undefined || gone.length < owners.length) return [];
  const resource = kindOf(kinds, last);
  if (resource === undefined) return [];
  const ifGone = { resource, key: keyBeside(last, object, resource), uid: last.uid };
  return [{ verb: 'delete', resource: kind, object, propagationPolicy: 'Background', ifGone }];
}

/** Carries out the finalizers of an owner that is being deleted. */
function finish(kinds: Kinds, kind: Resource<KubeObject>, object: KubeObject, world: World): Write[] {
  const finalizers = object.metadata.finalizers ?? [];
  // Most that ends has neither: no need to look through everything.
  if (!finalizers.includes(FOREGROUND) && !finalizers.includes(ORPHAN)) return [];
  const dependents = dependentsOf(kinds, object, world);
  if (finalizers.includes(FOREGROUND)) {
    const blocking = dependents.filter(({ reference }) => reference.blockOwnerDeletion === true);
    const living = dependents.filter(({ object: o }) => o.metadata.deletionTimestamp === undefined);
    if (blocking.length === 0 && living.length === 0) return [without(kind, object, FOREGROUND)];
    return living.map((d) => ({ verb: 'delete', resource: d.kind, object: d.object, propagationPolicy: 'Foreground' }));
  }
  if (dependents.length === 0) return [without(kind, object, ORPHAN)];
  return dependents.map((d) => {
    const ownerReferences = (d.object.metadata.ownerReferences ?? []).filter((o) => o.uid !== object.metadata.uid);
    return { verb: 'patch', resource: d.kind, base: d.object, patch: { metadata: { ownerReferences } } };
  });
}

function without(kind: Resource<KubeObject>, object: KubeObject, finalizer: string): Write {
  const finalizers = (object.metadata.finalizers ?? []).filter((f) => f !== finalizer);
  return { verb: 'patch', resource: kind, base: object, patch: { metadata: { finalizers } } };
}

function ownerOf(kinds: Kinds, owner: OwnerReference, object: KubeObject, world: World): 'gone' | 'there' | 'unknown' {
  const resource = kindOf(kinds, owner);
  if (resource === undefined) return 'unknown';
  const key = keyBeside(owner, object, resource);
  const found = world.of(resource).get(keyText(key));
  return found?.metadata.uid === owner.uid ? 'there' : 'gone';
}

function kindOf(kinds: Kinds, owner: OwnerReference): Resource<KubeObject> | undefined {
  // Any version of the group means the same object.
  const group = owner.apiVersion.includes('/') ? owner.apiVersion.split('/')[0] : '';
  return kinds.find((kind) => kind.kind === owner.kind && kind.group === group);
}

/** An owner lives in its dependent's namespace, unless its kind has none. */
function keyBeside(owner: OwnerReference, object: KubeObject, resource: Resource<KubeObject>): ObjectKey {
  const { namespace } = object.metadata;
  return resource.namespaced && namespace !== undefined ? { namespace, name: owner.name } : { name: owner.name };
}

interface Dependent {
  readonly kind: Resource<KubeObject>;
  readonly object: KubeObject;
  readonly reference: OwnerReference;
}

function dependentsOf(kinds: Kinds, owner: KubeObject, world: World): Dependent[] {
  return kinds.flatMap((kind) =>
    [...world.of(kind).values()].flatMap((object) => {
      const reference = object.metadata.ownerReferences?.find((o) => o.uid === owner.metadata.uid);
      return reference === undefined ? [] : [{ kind, object, reference }];
    }),
  );
}

function dependentKeys(kinds: Kinds, owner: KubeObject, world: World): string[] {
  return dependentsOf(kinds, owner, world).map(({ kind, object }) => workKey(kind, keyOf(object)));
}

function ownersDiffer(a: KubeObject, b: KubeObject): boolean {
  const uids = ({ metadata }: KubeObject) => metadata.ownerReferences?.map((owner) => owner.uid).join();
  return uids(a) !== uids(b);
}

function ownerKeys(kinds: Kinds, object: KubeObject): string[] {
  return (object.metadata.ownerReferences ?? []).flatMap((owner) => {
    const resource = kindOf(kinds, owner);
    if (resource === undefined) return [];
    return [workKey(resource, keyText(keyBeside(owner, object, resource)))];
  });
}

function workKey(kind: Resource<KubeObject>, key: string): string {
  return `${placeOf(kind)}:${key}`;
}

function placeOf({ plural, group }: Resource<KubeObject>): string {
  return `${plural}.${group}`;
}

function split(key: string): [string, string] {
  const colon = key.indexOf(':');
  return [key.slice(0, colon), key.slice(colon + 1)];
}

function isSame(a: Resource<KubeObject>, b: Resource<KubeObject>): boolean {
  return apiVersionOf(a) === apiVersionOf(b) && a.plural === b.plural;
}
