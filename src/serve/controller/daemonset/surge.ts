/** A rollout that makes the new pod of a node before the old one goes (`maxSurge`, KEP-1591). */

import { isAvailable, isReady } from '#serve/controller/daemonset/availability.ts';
import type { Place } from '#serve/controller/daemonset/places.ts';
import { HASH_LABEL } from '#serve/controller/daemonset/pod.ts';
import { shareOfNodes } from '#serve/controller/daemonset/rollout.ts';
import type { DaemonSet, Pod } from '#spec/k8s.ts';

/** On how many nodes there may be two pods; 0: no surge. */
export function maxSurge(set: DaemonSet, nodes: number): number {
  if (set.spec.updateStrategy?.type === 'OnDelete') return 0;
  return shareOfNodes(set.spec.updateStrategy?.rollingUpdate?.maxSurge, nodes, 0);
}

interface Pair {
  readonly fresh: Pod | undefined;
  readonly old: Pod | undefined;
}

/** A pod of the template of now, and one of another: the oldest that is ready, else the oldest. */
function pairOf(living: readonly Pod[], hash: string): Pair {
  const isFresh = (pod: Pod) => pod.metadata.labels?.[HASH_LABEL] === hash;
  const [fresh, old] = [living.filter(isFresh), living.filter((pod) => !isFresh(pod))];
  return { fresh: fresh.find(isReady) ?? fresh[0], old: old.find(isReady) ?? old[0] };
}

/** Pods of one node that are too many: two stand there only while the old one serves and the new one does not yet. */
export function surplusOf(set: DaemonSet, living: readonly Pod[], hash: string, now: number): Pod[] {
  const { fresh, old } = pairOf(living, hash);
  const others = living.filter((pod) => pod !== fresh && pod !== old);
  if (fresh === undefined || old === undefined) return others;
  return !isReady(old) || isAvailable(set, fresh, now) ? [...others, old] : others;
}

/** Nodes whose old pod gets its successor beside it now: those that do not serve at once, of the others `most` at a time. */
export function surging(set: DaemonSet, places: readonly Place[], hash: string, now: number, most: number): string[] {
  const pairs = places
    .filter((place) => place.run)
    .map((place) => ({ node: place.node, ...pairOf(living(place), hash) }))
    .filter(({ old }) => old !== undefined);
  const waiting = pairs.filter(({ fresh }) => fresh !== undefined && !isAvailable(set, fresh, now)).length;
  const open = pairs.filter(({ fresh }) => fresh === undefined);
  const serves = ({ old }: Pair) => old !== undefined && isAvailable(set, old, now);
  const idle = open.filter((pair) => !serves(pair));
  const serving = open.filter(serves).slice(0, Math.max(0, most - waiting));
  return [...idle, ...serving].map(({ node }) => node);
}

function living({ pods }: Place): Pod[] {
  return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
}
