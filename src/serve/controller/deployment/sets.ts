/** A Deployment's ReplicaSets: the one of its template, the others, and what is written on them. */

import { templateHash } from '#serve/controller/daemonset/hash.ts';
import { timeOf } from '#serve/controller/world.ts';
import { ownedBy } from '#serve/controller/write.ts';
import type { Labels, PodTemplateSpec } from '#spec/k8s.ts';
import { DEPLOYMENTS, type Deployment, REPLICA_SETS, type ReplicaSet, type Share } from '#spec/workloads.ts';

export const HASH_LABEL = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
/** The Deployment's replicas when the set got its size: tells a change of replicas from a rollout. */
export const DESIRED = 'deployment.kubernetes.io/desired-replicas';
/** Those with the surge. */
export const MAXIMUM = 'deployment.kubernetes.io/max-replicas';

/** Annotations of a Deployment that its sets do not take over. */
const OWN_ANNOTATIONS = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  'deployment.kubernetes.io/revision-history',
  DESIRED,
  MAXIMUM,
]);

export interface Sets {
  /** The set of the Deployment's template, if there is one. */
  readonly current: ReplicaSet | undefined;
  /** The others, oldest first. */
  readonly old: readonly ReplicaSet[];
}

export function setsOf(deployment: Deployment, owned: readonly ReplicaSet[]): Sets {
  const living = owned.filter((set) => set.metadata.deletionTimestamp === undefined).sort(byAge);
  const wanted = templateHash(deployment.spec.template);
  const current = living.find((set) => templateHash(bare(set.spec.template)) === wanted);
  return { current, old: living.filter((set) => set !== current) };
}

function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const difference = timeOf(a.metadata.creationTimestamp) - timeOf(b.metadata.creationTimestamp);
  return difference || revisionOf(a) - revisionOf(b) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1);
}

/** The template as the Deployment has it. */
function bare(template: PodTemplateSpec): PodTemplateSpec {
  const { [HASH_LABEL]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

export function sizeOf(set: ReplicaSet | undefined): number {
  return set === undefined ? 0 : (set.spec.replicas ?? 1);
}

export function sum(sets: readonly ReplicaSet[], amount: (set: ReplicaSet) => number | undefined): number {
  return sets.reduce((total, set) => total + (amount(set) ?? 0), 0);
}

export function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0) || 0;
}

/** The revision that the current set has, or will have. */
export function currentRevision({ current, old }: Sets): number {
  const before = Math.max(0, ...old.map(revisionOf));
  return Math.max(current === undefined ? 0 : revisionOf(current), before + 1);
}

export function replicasOf(deployment: Deployment): number {
  return deployment.spec.replicas ?? 1;
}

/** How many pods more than wanted there may be, and how many fewer available ones, during a rollout. */
export function limitsOf(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  const { strategy = {} } = deployment.spec;
  const wanted = replicasOf(deployment);
  if (strategy.type === 'Recreate') return { surge: 0, unavailable: 0 };
  const surge = amountOf(strategy.rollingUpdate?.maxSurge ?? '25%', wanted, Math.ceil);
  const unavailable = amountOf(strategy.rollingUpdate?.maxUnavailable ?? '25%', wanted, Math.floor);
  // A percentage may come to nothing; with neither, the rollout could not move.
  if (surge === 0 && unavailable === 0) return { surge, unavailable: 1 };
  return { surge, unavailable: Math.min(unavailable, wanted) };
}

function amountOf(share: Share, wanted: number, round: (value: number) => number): number {
  if (typeof share === 'number') return share;
  const percent = /^(\d+)%$/.exec(share)?.[1];
  return percent === undefined ? 0 : round((Number(percent) * wanted) / 100);
}

/** Annotations that an active set carries. */
export function sizeAnnotations(deployment: Deployment): Labels {
  const wanted = replicasOf(deployment);
  return { [DESIRED]: String(wanted), [MAXIMUM]: String(wanted + limitsOf(deployment).surge) };
}

/** Annotations that the current set takes over from the Deployment. */
export function takenAnnotations(deployment: Deployment): Labels {
  const all = Object.entries(deployment.metadata.annotations ?? {});
  return Object.fromEntries(all.filter(([key]) => !OWN_ANNOTATIONS.has(key)));
}

/** The set of the Deployment's template, to be created. */
export function newSet(deployment: Deployment, replicas: number, revision: number): ReplicaSet {
  const { template, selector, minReadySeconds } = deployment.spec;
  const hash = templateHash(template, deployment.status?.collisionCount ?? 0);
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: REPLICA_SETS.kind,
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      ...(deployment.metadata.namespace === undefined ? {} : { namespace: deployment.metadata.namespace }),
      labels,
      annotations: {
        ...takenAnnotations(deployment),
        ...sizeAnnotations(deployment),
        [REVISION]: String(revision),
      },
      ownerReferences: [ownedBy(DEPLOYMENTS, deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
