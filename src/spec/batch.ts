/** Objects of pods that run to their end: Job and CronJob (batch/v1), as they stand in JSON. */

import {
  type Condition,
  type KubeObject,
  type LabelSelector,
  type Labels,
  type ObjectReference,
  type PodTemplateSpec,
  resource,
} from '#spec/k8s.ts';

/** One rule of a podFailurePolicy (KEP-3329): either exit codes or pod conditions. */
export interface PodFailureRule {
  readonly action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
  readonly onExitCodes?: {
    readonly containerName?: string;
    readonly operator: 'In' | 'NotIn';
    readonly values: readonly number[];
  };
  readonly onPodConditions?: readonly { readonly type: string; readonly status?: string }[];
}

export interface JobSpec {
  readonly parallelism?: number;
  /** Absent: a work queue, complete when one pod has succeeded and none runs. */
  readonly completions?: number;
  readonly completionMode?: 'NonIndexed' | 'Indexed';
  readonly backoffLimit?: number;
  /** Seconds from the start. */
  readonly activeDeadlineSeconds?: number;
  readonly ttlSecondsAfterFinished?: number;
  readonly suspend?: boolean;
  readonly podFailurePolicy?: { readonly rules: readonly PodFailureRule[] };
  /** Failures that one index may have before it has failed (KEP-3850); then `backoffLimit` counts no more unless it is said. */
  readonly backoffLimitPerIndex?: number;
  readonly maxFailedIndexes?: number;
  /** What is enough (KEP-3998): the first rule that fits makes the Job complete. */
  readonly successPolicy?: {
    readonly rules: readonly { readonly succeededIndexes?: string; readonly succeededCount?: number }[];
  };
  readonly podReplacementPolicy?: 'TerminatingOrFailed' | 'Failed';
  readonly managedBy?: string;
  readonly selector: LabelSelector;
  readonly template: PodTemplateSpec;
}

export interface JobStatus {
  readonly active?: number;
  readonly ready?: number;
  readonly terminating?: number;
  readonly succeeded?: number;
  readonly failed?: number;
  readonly startTime?: string;
  readonly completionTime?: string;
  /** `0-2,5`. */
  readonly completedIndexes?: string;
  /** Of a Job with `backoffLimitPerIndex`: `0-2,5`. */
  readonly failedIndexes?: string;
  /** Pods (uids) that have ended and still carry the finalizer: counted when it is gone (KEP-2307). */
  readonly uncountedTerminatedPods?: { readonly succeeded?: readonly string[]; readonly failed?: readonly string[] };
  readonly conditions?: readonly Condition[];
}

export interface Job extends KubeObject {
  readonly spec: JobSpec;
  readonly status?: JobStatus;
}

export interface CronJob extends KubeObject {
  readonly spec: {
    readonly schedule: string;
    /** IANA name; absent: UTC. */
    readonly timeZone?: string;
    readonly startingDeadlineSeconds?: number;
    readonly concurrencyPolicy?: 'Allow' | 'Forbid' | 'Replace';
    readonly suspend?: boolean;
    readonly successfulJobsHistoryLimit?: number;
    readonly failedJobsHistoryLimit?: number;
    readonly jobTemplate: {
      readonly metadata?: { readonly labels?: Labels; readonly annotations?: Labels };
      readonly spec: JobSpec;
    };
  };
  readonly status?: {
    readonly active?: readonly ObjectReference[];
    readonly lastScheduleTime?: string;
    readonly lastSuccessfulTime?: string;
  };
}

export const JOBS = resource<Job>('batch', 'v1', 'Job', 'jobs');
export const CRON_JOBS = resource<CronJob>('batch', 'v1', 'CronJob', 'cronjobs');
