/** Columns of workloads. */
import { ageOf, humanDuration } from '#spec/kinds/age.ts';
import { AGE, column, formatLabels, formatSelector, NAME, orNone } from '#spec/kinds/columns/common.ts';
import { at, type Json, listAt, numberAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { Column, KubeObject } from '#spec/kinds/kind.ts';

/** Containers and images of the pod template, shown with `-o wide`. */
const CONTAINERS = column('Containers', 'Names of the containers.', (object) => ofContainers(object, 'name'), {
  wide: true,
});
const IMAGES = column('Images', 'Images of the containers.', (object) => ofContainers(object, 'image'), { wide: true });
const SELECTOR = column('Selector', 'Labels of its pods.', (object) => formatSelector(at(object, 'spec', 'selector')), {
  wide: true,
});

export const DEPLOYMENT_COLUMNS: readonly Column[] = [
  NAME,
  column('Ready', 'Pods that are ready, of those that are wanted.', readyOfWanted),
  count('Up-to-date', 'Pods of the newest template.', 'updatedReplicas'),
  count('Available', 'Pods that have been ready long enough.', 'availableReplicas'),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
];

export const REPLICASET_COLUMNS: readonly Column[] = [
  NAME,
  column('Desired', 'Pods that are wanted.', (object) => numberAt(object, 'spec', 'replicas') ?? 0, {
    type: 'integer',
  }),
  count('Current', 'Pods that are there.', 'replicas'),
  count('Ready', 'Pods that are ready.', 'readyReplicas'),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
];

export const STATEFULSET_COLUMNS: readonly Column[] = [
  NAME,
  column('Ready', 'Pods that are ready, of those that are wanted.', readyOfWanted),
  AGE,
  CONTAINERS,
  IMAGES,
];

export const CONTROLLER_REVISION_COLUMNS: readonly Column[] = [
  NAME,
  column('Controller', 'What it is a state of.', controllerCell),
  column('Revision', 'Its number.', (object) => numberAt(object, 'revision') ?? 0),
  AGE,
];

export const JOB_COLUMNS: readonly Column[] = [
  NAME,
  column('Status', 'What has become of it.', jobStatusCell),
  column('Completions', 'Pods that succeeded, of those that are wanted.', completionsCell),
  column('Duration', 'How long it ran.', jobDurationCell),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
];

export const CRONJOB_COLUMNS: readonly Column[] = [
  NAME,
  column('Schedule', 'When it runs (cron).', (object) => textAt(object, 'spec', 'schedule')),
  column('Timezone', 'Where that is meant.', (object) => orNone(textAt(object, 'spec', 'timeZone'))),
  column('Suspend', 'Whether it waits.', (object) => (at(object, 'spec', 'suspend') === true ? 'True' : 'False')),
  column('Active', 'Jobs that run.', (object) => listAt(object, 'status', 'active').length, { type: 'integer' }),
  column('Last Schedule', 'Time since it began a Job.', lastScheduleCell),
  AGE,
  column('Containers', 'Names of the containers.', (object) => ofContainers(jobOf(object), 'name'), { wide: true }),
  column('Images', 'Images of the containers.', (object) => ofContainers(jobOf(object), 'image'), { wide: true }),
  column('Selector', 'Labels of its pods.', (object) => formatSelector(at(jobOf(object), 'spec', 'selector')), {
    wide: true,
  }),
];

export const DAEMONSET_COLUMNS: readonly Column[] = [
  NAME,
  count('Desired', 'Nodes that should run a pod.', 'desiredNumberScheduled'),
  count('Current', 'Nodes that have one.', 'currentNumberScheduled'),
  count('Ready', 'Pods that are ready.', 'numberReady'),
  count('Up-to-date', 'Pods of the newest template.', 'updatedNumberScheduled'),
  count('Available', 'Pods that have been ready long enough.', 'numberAvailable'),
  column('Node Selector', 'Labels of the nodes.', (object) =>
    formatLabels(at(object, 'spec', 'template', 'spec', 'nodeSelector')),
  ),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
];

function count(name: string, description: string, key: string) {
  return column(name, description, (object) => numberAt(object, 'status', key) ?? 0, { type: 'integer' });
}

function readyOfWanted(object: KubeObject): string {
  return `${numberAt(object, 'status', 'readyReplicas') ?? 0}/${numberAt(object, 'spec', 'replicas') ?? 0}`;
}

function controllerCell(object: KubeObject): string {
  const owner = objectsAt(object, 'metadata', 'ownerReferences').find((one) => one.controller === true);
  if (owner === undefined) return '<none>';
  const [group = ''] = textAt(owner, 'apiVersion').includes('/') ? textAt(owner, 'apiVersion').split('/') : [''];
  const kind = textAt(owner, 'kind').toLowerCase();
  return `${group === '' ? kind : `${kind}.${group}`}/${textAt(owner, 'name')}`;
}

const JOB_WORDS = ['Complete', 'Failed', 'Suspended', 'FailureTarget', 'SuccessCriteriaMet'];

function jobStatusCell(job: KubeObject): string {
  const conditions = objectsAt(job, 'status', 'conditions').filter((one) => one.status === 'True');
  const word = JOB_WORDS.find((type) => conditions.some((one) => one.type === type));
  if (word !== undefined) return word;
  return textAt(job, 'metadata', 'deletionTimestamp') === '' ? 'Running' : 'Terminating';
}

function completionsCell(job: KubeObject): string {
  const succeeded = numberAt(job, 'status', 'succeeded') ?? 0;
  const completions = numberAt(job, 'spec', 'completions');
  if (completions !== undefined) return `${succeeded}/${completions}`;
  const parallelism = numberAt(job, 'spec', 'parallelism') ?? 1;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDurationCell(job: KubeObject, now: number): string {
  const [begun, ended] = [textAt(job, 'status', 'startTime'), textAt(job, 'status', 'completionTime')];
  if (begun === '') return '';
  return humanDuration(Math.floor(((ended === '' ? now : Date.parse(ended)) - Date.parse(begun)) / 1000));
}

function lastScheduleCell(object: KubeObject, now: number): string {
  const last = textAt(object, 'status', 'lastScheduleTime');
  return last === '' ? '<none>' : ageOf(last, now);
}

/** The Job that a CronJob makes. */
function jobOf(object: KubeObject): Json {
  return at(object, 'spec', 'jobTemplate') ?? {};
}

function ofContainers(object: Json, key: string): string {
  return objectsAt(object, 'spec', 'template', 'spec', 'containers')
    .map((container) => textAt(container, key))
    .join(',');
}
