/** Which objects belong to an owner with a selector: adopting those without a manager, letting go those that no longer fit. */

import { matchesSelector } from '#serve/controller/match/labels.ts';
import type { World } from '#serve/controller/world.ts';
import { ownedBy, type Write } from '#serve/controller/write.ts';
import { controllerOf, type KubeObject, type LabelSelector, type Resource } from '#spec/k8s.ts';

export interface Owner extends KubeObject {
  readonly spec: { readonly selector: LabelSelector };
}

export interface Claims<T> {
  readonly owned: readonly T[];
  /** Ownership that must change first; what is adopted is counted when it has come back from the API. */
  readonly writes: readonly Write[];
}

/** Every object of `kind` in the owner's namespace that it manages, in order of their names. */
export function claim<T extends KubeObject>(
  ownerKind: Resource<KubeObject>,
  owner: Owner,
  kind: Resource<T>,
  world: World,
): Claims<T> {
  const owned: T[] = [];
  const writes: Write[] = [];
  for (const object of world.of(kind).values()) {
    if (object.metadata.namespace !== owner.metadata.namespace) continue;
    const manager = controllerOf(object);
    if (manager !== undefined && manager.uid !== owner.metadata.uid) continue;
    const fits = matchesSelector(owner.spec.selector, object.metadata.labels);
    if (manager !== undefined && (fits || object.metadata.deletionTimestamp !== undefined)) owned.push(object);
    else if (object.metadata.deletionTimestamp === undefined && fits !== (manager !== undefined))
      writes.push(owners(ownerKind, owner, kind, object, fits));
  }
  return { owned: owned.sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1)), writes };
}

function owners(
  ownerKind: Resource<KubeObject>,
  owner: Owner,
  kind: Resource<KubeObject>,
  object: KubeObject,
  fits: boolean,
): Write {
  const others = (object.metadata.ownerReferences ?? []).filter((o) => o.uid !== owner.metadata.uid);
  const ownerReferences = fits ? [...others, ownedBy(ownerKind, owner)] : others;
  return { verb: 'patch', resource: kind, base: object, patch: { metadata: { ownerReferences } } };
}

/** Keys of the owners of `ownerKind` that an object belongs to, or may come to belong to. */
export function ownersOf(ownerKind: Resource<Owner>, object: KubeObject, world: World): string[] {
  const manager = controllerOf(object);
  if (manager !== undefined) {
    if (manager.kind !== ownerKind.kind) return [];
    return [`${object.metadata.namespace}/${manager.name}`];
  }
  const fitting = [...world.of(ownerKind)].filter(
    ([, owner]) =>
      owner.metadata.namespace === object.metadata.namespace &&
      matchesSelector(owner.spec.selector, object.metadata.labels),
  );
  return fitting.map(([key]) => key);
}

/** An empty selector would claim everything in the namespace; the API server refuses it, an old store might hold one. */
export function selectsAll({ spec }: Owner): boolean {
  const { matchLabels = {}, matchExpressions = [] } = spec.selector;
  return Object.keys(matchLabels).length + matchExpressions.length === 0;
}
