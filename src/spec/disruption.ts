/** PodDisruptionBudget (policy/v1), as it stands in JSON: how many of some pods may go at once. */

import { type Condition, type KubeObject, type LabelSelector, resource } from '#spec/k8s.ts';
import type { Share } from '#spec/workloads.ts';

export interface PodDisruptionBudget extends KubeObject {
  readonly spec?: {
    readonly minAvailable?: Share;
    readonly maxUnavailable?: Share;
    /** Missing: no pods. Empty: all of the namespace. */
    readonly selector?: LabelSelector;
    readonly unhealthyPodEvictionPolicy?: 'IfHealthyBudget' | 'AlwaysAllow';
  };
  readonly status?: DisruptionStatus;
}

export interface DisruptionStatus {
  readonly observedGeneration?: number;
  readonly disruptionsAllowed: number;
  readonly currentHealthy: number;
  readonly desiredHealthy: number;
  readonly expectedPods: number;
  /** Pods whose eviction was granted and has not been seen yet: name -> time. */
  readonly disruptedPods?: Readonly<Record<string, string | null>>;
  readonly conditions?: readonly Condition[];
}

export const DISRUPTION_BUDGETS = resource<PodDisruptionBudget>(
  'policy',
  'v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
);
