/** One pod of each DaemonSet on every node that it wants (apps/v1 DaemonSet). */

import type { Change } from '#feed/store.ts';
import { type Controller, isOf } from '#serve/controller/controller.ts';
import { availableIn } from '#serve/controller/daemonset/availability.ts';
import { templateHash } from '#serve/controller/daemonset/hash.ts';
import { type Place, placesOf } from '#serve/controller/daemonset/places.ts';
import { daemonPod } from '#serve/controller/daemonset/pod.ts';
import { outdated } from '#serve/controller/daemonset/rollout.ts';
import { statusOf, statusWrites } from '#serve/controller/daemonset/status.ts';
import { maxSurge, surging, surplusOf } from '#serve/controller/daemonset/surge.ts';
import { matchesSelector } from '#serve/controller/match/labels.ts';
import { effectiveTaints } from '#serve/controller/match/taints.ts';
import { keepRevision, REVISION_LABEL, revisionsOf, surplus } from '#serve/controller/workload/revisions.ts';
import { timeOf, type World } from '#serve/controller/world.ts';
import { decision, NOTHING, type Notice, ownedBy, referenceTo, sooner, type Write } from '#serve/controller/write.ts';
import {
  controllerOf,
  DAEMON_SETS,
  type DaemonSet,
  type KubeObject,
  keyOf,
  NODES,
  type Node,
  PODS,
  type Pod,
} from '#spec/k8s.ts';
import { CONTROLLER_REVISIONS, type ControllerRevision } from '#spec/workloads.ts';

/** A pod that failed is made anew after this, ms since its creation, so that one that fails at once does not spin. */
const FAILED_AFTER_MS = 5_000;

export const daemonSetController: Controller = {
  name: 'daemonset',
  needs: [DAEMON_SETS, CONTROLLER_REVISIONS, PODS, NODES],
  keys: (world) => [...world.of(DAEMON_SETS).keys()],
  wake(resource, change, world) {
    if (isOf(DAEMON_SETS, resource, change)) return [change.key];
    if (isOf(PODS, resource, change) || isOf(CONTROLLER_REVISIONS, resource, change))
      return setsOf(change.object, world);
    if (isOf(NODES, resource, change) && nodeMatters(change)) return [...world.of(DAEMON_SETS).keys()];
    return [];
  },
  decide(world, key) {
    const set = world.of(DAEMON_SETS).get(key);
    // What is being deleted makes no pods any more; the garbage collector takes those that are there.
    if (set === undefined || set.metadata.deletionTimestamp !== undefined || selectsAll(set)) return NOTHING;
    const claims = claim(set, world);
    const revisions = revisionsOf(DAEMON_SETS, set, world);
    const first = [...claims, ...revisions.writes, ...keepRevision(DAEMON_SETS, set, revisions.owned, hashOf(set))];
    // Adopted and released pods are counted when they have come back from the API.
    if (first.length > 0) return decision(first);
    return reconcile(set, revisions.owned, world);
  },
};

function hashOf(set: DaemonSet): string {
  return templateHash(set.spec.template);
}

function reconcile(set: DaemonSet, revisions: readonly ControllerRevision[], world: World) {
  const hash = hashOf(set);
  const places = placesOf(set, world);
  const surge = maxSurge(set, places.filter((place) => place.run).length);
  const excess = (living: readonly Pod[]) =>
    surge > 0 ? surplusOf(set, living, hash, world.now) : living.filter((pod) => pod !== living[0]);
  const manage = places.map((place) => managePlace(set, place, hash, excess, world));
  const writes = manage.flatMap((m) => m.writes);
  const gone = new Set(writes.flatMap((write) => (write.verb === 'delete' ? [keyOf(write.object)] : [])));
  const rollout =
    surge > 0
      ? surging(set, places, hash, world.now, surge).map((node) => create(set, node, hash))
      : outdated(set, places, hash, world.now)
          .filter((pod) => !gone.has(keyOf(pod)))
          .map((pod) => remove(set, pod, 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`));
  const status = statusWrites(set, statusOf(set, places, hash, world.now));
  const again = manage.map((m) => m.againMs).reduce(sooner, nextAvailable(set, places, world));
  const live = new Set([hash, ...places.flatMap(({ pods }) => pods.map(revisionOf))]);
  const old = surplus(set, revisions, new Set([...live].map((each) => `${set.metadata.name}-${each}`)));
  return decision([...writes, ...rollout, ...status, ...old], again);
}

function revisionOf(pod: Pod): string | undefined {
  return pod.metadata.labels?.[REVISION_LABEL];
}

/** Creates what is missing on a node and deletes what is too much. */
function managePlace(
  set: DaemonSet,
  place: Place,
  hash: string,
  excess: (living: readonly Pod[]) => readonly Pod[],
  world: World,
): { writes: Write[]; againMs?: number } {
  const living = place.pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  if (!place.stay) {
    return { writes: living.map((pod) => remove(set, pod, 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`)) };
  }
  const ended = living.filter((pod) => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded');
  if (ended.length > 0) return replaceEnded(set, place.node, ended, world);
  // A pod that is ending still holds the node's ports and names: its successor waits.
  if (place.pods.length === 0) return { writes: place.run ? [create(set, place.node, hash)] : [] };
  return {
    writes: excess(living).map((pod) => remove(set, pod, 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`)),
  };
}

function replaceEnded(set: DaemonSet, node: string, ended: readonly Pod[], world: World) {
  const waits = ended.map((pod) => timeOf(pod.metadata.creationTimestamp) + FAILED_AFTER_MS - world.now);
  const againMs = Math.max(0, ...waits);
  if (againMs > 0) return { writes: [], againMs };
  const writes = ended.map((pod) => {
    const [reason, word] =
      pod.status?.phase === 'Failed' ? ['FailedDaemonPod', 'failed'] : ['SucceededDaemonPod', 'succeeded'];
    const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
    return remove(set, pod, reason, `Found ${word} daemon pod ${name} on node ${node}, will try to kill it`);
  });
  return { writes };
}

function create(set: DaemonSet, node: string, hash: string): Write {
  const told = notice(set, 'SuccessfulCreate', 'Created pod: {name}');
  return { verb: 'create', resource: PODS, object: daemonPod(set, node, hash), notice: told };
}

function remove(set: DaemonSet, pod: Pod, reason: string, message: string): Write {
  return { verb: 'delete', resource: PODS, object: pod, notice: notice(set, reason, message) };
}

function notice(set: DaemonSet, reason: string, message: string): Notice {
  const type = reason === 'FailedDaemonPod' ? 'Warning' : 'Normal';
  return { about: referenceTo(DAEMON_SETS, set), type, reason, message, component: 'daemonset-controller' };
}

/** Takes pods without a manager that the selector fits, lets go those of its own that it fits no more. */
function claim(set: DaemonSet, world: World): Write[] {
  const writes: Write[] = [];
  for (const pod of world.of(PODS).values()) {
    if (pod.metadata.namespace !== set.metadata.namespace || pod.metadata.deletionTimestamp !== undefined) continue;
    const owner = controllerOf(pod);
    const fits = matchesSelector(set.spec.selector, pod.metadata.labels);
    const others = (pod.metadata.ownerReferences ?? []).filter((o) => o.uid !== set.metadata.uid);
    if (owner === undefined && fits) writes.push(owners(pod, [...others, ownedBy(DAEMON_SETS, set)]));
    else if (owner?.uid === set.metadata.uid && !fits) writes.push(owners(pod, others));
  }
  return writes;
}

/** An empty selector would claim every pod of the namespace; the API server refuses it, an old store might hold one. */
function selectsAll({ spec }: DaemonSet): boolean {
  const { matchLabels = {}, matchExpressions = [] } = spec.selector;
  return Object.keys(matchLabels).length + matchExpressions.length === 0;
}

function owners(pod: Pod, ownerReferences: NonNullable<KubeObject['metadata']['ownerReferences']>): Write {
  return { verb: 'patch', resource: PODS, base: pod, patch: { metadata: { ownerReferences } } };
}

/** The next instant at which a ready pod becomes available. */
function nextAvailable(set: DaemonSet, places: readonly Place[], world: World): number | undefined {
  const waits = places.flatMap((place) => place.pods).map((pod) => availableIn(set, pod, world.now));
  return waits.filter((wait) => wait !== undefined && wait > 0).reduce(sooner, undefined);
}

/** The sets that a pod or a revision belongs to, or may come to belong to. */
function setsOf(object: KubeObject, world: World): string[] {
  const owner = controllerOf(object);
  if (owner !== undefined && owner.kind !== DAEMON_SETS.kind) return [];
  const sets = [...world.of(DAEMON_SETS)].filter(([, set]) =>
    owner === undefined
      ? set.metadata.namespace === object.metadata.namespace &&
        matchesSelector(set.spec.selector, object.metadata.labels)
      : set.metadata.uid === owner.uid,
  );
  return sets.map(([key]) => key);
}

function nodeMatters(change: Change<Node>): boolean {
  if (change.type === 'delete' || change.previous === undefined) return true;
  const text = (node: Node) => JSON.stringify([node.metadata.labels, effectiveTaints(node)]);
  return text(change.object) !== text(change.previous);
}
