/** Kinds of the group batch: pods that run to their end. */
import { parseSchedule } from '#spec/cron.ts';
import { needs } from '#spec/kinds/apps.ts';
import { CRONJOB_COLUMNS, JOB_COLUMNS } from '#spec/kinds/columns/workload.ts';
import { defaultPodSpec } from '#spec/kinds/core/pod-defaults.ts';
import {
  at,
  ensureObject,
  type JsonObject,
  numberAt,
  objectAt,
  sameJson,
  setDefault,
  textAt,
} from '#spec/kinds/json.ts';
import { type FieldError, invalid, type Kind, type KubeObject, required, unsupported } from '#spec/kinds/kind.ts';
import { notNegative } from '#spec/kinds/scale.ts';
import { defaultTemplate, validateTemplate } from '#spec/kinds/workloads.ts';
import { isTimeZone } from '#spec/time-zone.ts';

const BATCH = {
  group: 'batch',
  version: 'v1',
  namespaced: true,
  names: 'subdomain',
  status: true,
  generation: true,
} as const;
const COUNTS = [
  'parallelism',
  'completions',
  'backoffLimit',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
  'activeDeadlineSeconds',
  'ttlSecondsAfterFinished',
];
const POLICIES = ['Allow', 'Forbid', 'Replace'];
/** The largest number of the field's type. */
const NO_LIMIT = 2 ** 31 - 1;
const UID_LABEL = 'batch.kubernetes.io/controller-uid';
const NAME_LABEL = 'batch.kubernetes.io/job-name';

export const JOB: Kind = {
  ...BATCH,
  kind: 'Job',
  plural: 'jobs',
  singular: 'job',
  categories: ['all'],
  type: 'V1Job',
  columns: JOB_COLUMNS,
  fields: { 'status.successful': (job) => String(numberAt(job, 'status', 'succeeded') ?? 0) },
  defaults: (job) => {
    const spec = ensureObject(job, 'spec');
    if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
    setDefault(spec, 'parallelism', 1);
    setDefault(spec, 'backoffLimit', spec.backoffLimitPerIndex === undefined ? 6 : NO_LIMIT);
    setDefault(spec, 'completionMode', 'NonIndexed');
    setDefault(spec, 'suspend', false);
    setDefault(spec, 'podReplacementPolicy', spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed');
    defaultTemplate(job);
  },
  prepareCreate: (job) => {
    selectOwnPods(job);
    job.status = {};
    return [];
  },
  validate: (job) => [
    ...COUNTS.flatMap((key) => notNegative(job, ['spec', key])),
    ...validateTemplate(job, ['OnFailure', 'Never']),
    ...validateMode(job),
  ],
  validateUpdate: unchangedJob,
};

function validateMode(job: KubeObject): FieldError[] {
  const mode = textAt(job, 'spec', 'completionMode');
  const modes = ['Indexed', 'NonIndexed'];
  if (!modes.includes(mode)) return [unsupported('spec.completionMode', mode, modes)];
  if (mode === 'Indexed') return validateIndexed(job);
  return ['backoffLimitPerIndex', 'maxFailedIndexes', 'successPolicy']
    .filter((key) => at(job, 'spec', key) !== undefined)
    .map((key) => invalid(`spec.${key}`, at(job, 'spec', key) ?? null, 'requires indexed completion mode'));
}

function validateIndexed(job: KubeObject): FieldError[] {
  const open = at(job, 'spec', 'completions') === undefined;
  const alone =
    at(job, 'spec', 'maxFailedIndexes') !== undefined && at(job, 'spec', 'backoffLimitPerIndex') === undefined;
  return [
    ...(open ? [required('spec.completions', 'when completion mode is Indexed')] : []),
    ...(alone ? [required('spec.backoffLimitPerIndex', 'when maxFailedIndexes is specified')] : []),
  ];
}

/** What its pods are is settled at the start; a Job that has not started may still get another template (KEP-2926). */
function unchangedJob(job: KubeObject, old: KubeObject): FieldError[] {
  const elastic = textAt(old, 'spec', 'completionMode') === 'Indexed';
  const waits = at(old, 'spec', 'suspend') === true && at(old, 'status', 'startTime') === undefined;
  const fixed = ['selector', 'completionMode', ...(elastic ? [] : ['completions']), ...(waits ? [] : ['template'])];
  return fixed
    .filter((key) => !sameJson(at(job, 'spec', key), at(old, 'spec', key)))
    .map((key) => invalid(`spec.${key}`, at(job, 'spec', key) ?? null, 'field is immutable'));
}

/** Unless people choose the selector, the Job's uid tells its pods apart (Kubernetes "Jobs" §Pod selector). */
function selectOwnPods(job: JsonObject): void {
  const spec = objectAt(job, 'spec');
  if (spec.manualSelector === true) return;
  const uid = textAt(job, 'metadata', 'uid');
  const labels = ensureObject(ensureObject(ensureObject(spec, 'template'), 'metadata'), 'labels');
  Object.assign(labels, {
    [UID_LABEL]: uid,
    [NAME_LABEL]: textAt(job, 'metadata', 'name'),
    'controller-uid': uid,
    'job-name': textAt(job, 'metadata', 'name'),
  });
  spec.selector = { matchLabels: { [UID_LABEL]: uid } };
}

export const CRON_JOB: Kind = {
  ...BATCH,
  kind: 'CronJob',
  plural: 'cronjobs',
  singular: 'cronjob',
  shortNames: ['cj'],
  categories: ['all'],
  type: 'V1CronJob',
  columns: CRONJOB_COLUMNS,
  defaults: (object) => {
    const spec = ensureObject(object, 'spec');
    setDefault(spec, 'concurrencyPolicy', 'Allow');
    setDefault(spec, 'suspend', false);
    setDefault(spec, 'successfulJobsHistoryLimit', 3);
    setDefault(spec, 'failedJobsHistoryLimit', 1);
    const template = ensureObject(ensureObject(ensureObject(spec, 'jobTemplate'), 'spec'), 'template');
    defaultPodSpec(ensureObject(template, 'spec'));
  },
  prepareCreate: (object) => {
    object.status = {};
    return [];
  },
  validate: (object) => [...needs(object, 'spec', 'schedule'), ...validateCron(objectAt(object, 'spec'))],
};

function validateCron(spec: JsonObject): FieldError[] {
  const policy = textAt(spec, 'concurrencyPolicy');
  const errors = POLICIES.includes(policy) ? [] : [unsupported('spec.concurrencyPolicy', policy, POLICIES)];
  const schedule = textAt(spec, 'schedule');
  const parsed = parseSchedule(schedule);
  if (schedule !== '' && parsed.kind === 'error') errors.push(invalid('spec.schedule', schedule, parsed.message));
  const zone = at(spec, 'timeZone');
  if (typeof zone === 'string' && !isTimeZone(zone))
    errors.push(invalid('spec.timeZone', zone, `unknown time zone ${zone}`));
  const restart = textAt(spec, 'jobTemplate', 'spec', 'template', 'spec', 'restartPolicy');
  if (restart === 'OnFailure' || restart === 'Never') return errors;
  const field = 'spec.jobTemplate.spec.template.spec.restartPolicy';
  return [...errors, unsupported(field, restart, ['OnFailure', 'Never'])];
}
