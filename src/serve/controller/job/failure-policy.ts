/** What a Job's podFailurePolicy says of a pod that failed (KEP-3329): the first rule that fits decides. */

import type { Job, PodFailureRule } from '#spec/batch.ts';
import type { Pod } from '#spec/k8s.ts';

export interface Judgement {
  readonly action: PodFailureRule['action'];
  /** For the Job's condition. */
  readonly message: string;
}

/** Undefined where no rule fits: the failure counts. */
export function judge(job: Job, pod: Pod): Judgement | undefined {
  if (pod.status?.phase !== 'Failed') return undefined;
  for (const [index, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const why = reasonOf(rule, pod);
    if (why !== undefined)
      return { action: rule.action, message: `${why} matching ${rule.action} rule at index ${index}` };
  }
  return undefined;
}

function reasonOf(rule: PodFailureRule, pod: Pod): string | undefined {
  const where = `pod ${pod.metadata.namespace}/${pod.metadata.name}`;
  const met = rule.onPodConditions?.find(({ type, status = 'True' }) =>
    pod.status?.conditions?.some((c) => c.type === type && c.status === status),
  );
  if (met !== undefined) return `${where[0]?.toUpperCase()}${where.slice(1)} has condition ${met.type}`;
  const exit = exitsOf(rule, pod)[0];
  return exit === undefined ? undefined : `Container ${exit.name} for ${where} failed with exit code ${exit.code}`;
}

function exitsOf({ onExitCodes }: PodFailureRule, pod: Pod): { readonly name: string; readonly code: number }[] {
  if (onExitCodes === undefined) return [];
  const { containerName, operator, values } = onExitCodes;
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return all
    .filter((status) => containerName === undefined || status.name === containerName)
    .flatMap(({ name, state }) => {
      const code = state?.terminated?.exitCode ?? 0;
      const fits = code !== 0 && values.includes(code) === (operator === 'In');
      return fits ? [{ name, code }] : [];
    });
}
