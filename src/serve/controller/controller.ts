/** The one shape of every controller; the README of this folder says how they work together. */

import type { Change } from '#feed/store.ts';
import type { World } from '#serve/controller/world.ts';
import type { Decision } from '#serve/controller/write.ts';
import type { KubeObject, Resource } from '#spec/k8s.ts';

export interface Controller {
  /** For logs and metrics: `scheduler`. */
  readonly name: string;
  /** Kinds that must be known whole before it decides anything: what is not there yet must not look as if it were gone. */
  readonly needs: readonly Resource<KubeObject>[];
  /** Keys that may need work after this change. Cheap: it runs for every event. */
  wake(resource: Resource<KubeObject>, change: Change<KubeObject>, world: World): readonly string[];
  /** Keys to look at when the world is first known. */
  keys(world: World): readonly string[];
  /** Pure: what is to be done about this key, seen the world as it is. The same world gives the same writes. */
  decide(world: World, key: string): Decision;
}

/** Tells the compiler which kind a change is of. */
export function isOf<T extends KubeObject>(
  kind: Resource<T>,
  resource: Resource<KubeObject>,
  _change: Change<KubeObject>,
): _change is Change<T> {
  return resource.group === kind.group && resource.plural === kind.plural;
}
