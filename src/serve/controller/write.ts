/** What a controller wants done, as values: they print, compare and are tested without an API. */

import {
  apiVersionOf,
  type KubeObject,
  type ObjectKey,
  type ObjectReference,
  type OwnerReference,
  type Pod,
  type Resource,
} from '#spec/k8s.ts';

/** Something to tell people who run `kubectl describe`. */
export interface Notice {
  readonly about: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** `{name}` becomes the name of the object that was written. */
  readonly message: string;
  /** Who says it: `default-scheduler`, `daemonset-controller`, … */
  readonly component: string;
}

/** Fields to change; `null` removes one. */
export interface Patch {
  readonly metadata?: object;
  readonly spec?: object;
  readonly status?: object;
  /** Of ControllerRevisions. */
  readonly revision?: number;
  /** Of EndpointSlices. */
  readonly endpoints?: readonly object[];
  /** Of ClusterRoles. */
  readonly rules?: readonly object[];
  /** Of Endpoints. */
  readonly subsets?: readonly object[];
}

/** Asks the API itself before a write whether this is gone, since watches of two kinds are not in step; if it is not, nothing is written. */
export interface IfGone {
  readonly resource: Resource<KubeObject>;
  readonly key: ObjectKey;
  readonly uid?: string;
}

export type Write =
  | {
      readonly verb: 'create';
      readonly resource: Resource<KubeObject>;
      readonly object: KubeObject;
      readonly notice?: Notice;
    }
  /** A JSON merge patch of `base`, refused by the API if somebody wrote `base` since. */
  | {
      readonly verb: 'patch';
      readonly resource: Resource<KubeObject>;
      readonly base: KubeObject;
      readonly patch: Patch;
      readonly subresource?: 'status';
      readonly ifGone?: IfGone;
    }
  /** Only if it still is this very object. */
  | {
      readonly verb: 'delete';
      readonly resource: Resource<KubeObject>;
      readonly object: KubeObject;
      readonly gracePeriodSeconds?: number;
      readonly propagationPolicy?: 'Background' | 'Foreground';
      readonly notice?: Notice;
      /** Refused by the API if somebody wrote the object since. */
      readonly ifUnchanged?: boolean;
      readonly ifGone?: IfGone;
    }
  | { readonly verb: 'bind'; readonly pod: Pod; readonly node: string; readonly notice: Notice }
  | { readonly verb: 'notice'; readonly notice: Notice }
  /** Deletes everything in a namespace that is being deleted; once it is empty, lets it go. */
  | { readonly verb: 'purge'; readonly namespace: KubeObject }
  /** A create that is fine if the object is there already. */
  | { readonly verb: 'ensure'; readonly resource: Resource<KubeObject>; readonly object: KubeObject };

/** What `decide` answers. */
export interface Decision {
  readonly writes: readonly Write[];
  /** Decide again after this even if nothing changes, ms. */
  readonly againMs?: number;
}

export const NOTHING: Decision = { writes: [] };

export function referenceTo(resource: Resource<KubeObject>, object: KubeObject): ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

/** The reference by which `owner` manages an object; the garbage collector follows it. */
export function ownedBy(resource: Resource<KubeObject>, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The sooner of two waits, ms. */
export function sooner(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b);
}

export function decision(writes: readonly Write[], againMs?: number): Decision {
  return againMs === undefined ? { writes } : { writes, againMs: Math.max(0, againMs) };
}
