/** The kind HorizontalPodAutoscaler, in the words of v2 and of v1: kept; nothing scales by it. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import {
  at,
  copyJson,
  ensureObject,
  isObject,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  setDefault,
  textAt,
} from '#spec/kinds/json.ts';
import { type FieldError, invalid, type Kind, type KubeObject, required } from '#spec/kinds/kind.ts';

const COMMON = {
  group: 'autoscaling',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  singular: 'horizontalpodautoscaler',
  shortNames: ['hpa'],
  categories: ['all'],
  namespaced: true,
  names: 'subdomain',
  warning: 'HorizontalPodAutoscalers are kept, and nothing scales by them',
  status: true,
} as const satisfies Partial<Kind>;

const CPU = 80;
const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';

const COLUMNS = [
  NAME,
  column(
    'Reference',
    'What it scales.',
    (one) => `${textAt(one, 'spec', 'scaleTargetRef', 'kind')}/${textAt(one, 'spec', 'scaleTargetRef', 'name')}`,
  ),
  column('Targets', 'What it aims at.', targetsOf),
  column('MinPods', 'At least.', (one) => String(numberAt(one, 'spec', 'minReplicas') ?? '<unset>')),
  column('MaxPods', 'At most.', (one) => numberAt(one, 'spec', 'maxReplicas') ?? 0, { type: 'integer' }),
  column('Replicas', 'There are.', (one) => numberAt(one, 'status', 'currentReplicas') ?? 0, { type: 'integer' }),
  AGE,
];

export const HORIZONTAL_POD_AUTOSCALER: Kind = {
  ...COMMON,
  version: 'v2',
  type: 'V2HorizontalPodAutoscaler',
  columns: COLUMNS,
  defaults: (one) => {
    const spec = ensureObject(one, 'spec');
    setDefault(spec, 'minReplicas', 1);
    if (objectsAt(spec, 'metrics').length === 0) spec.metrics = [cpuMetric(CPU)];
  },
  prepareCreate: (one) => {
    one.status = { desiredReplicas: 0, currentMetrics: null };
    return [];
  },
  validate,
};

export const HORIZONTAL_POD_AUTOSCALER_V1: Kind = {
  ...COMMON,
  version: 'v1',
  type: 'V1HorizontalPodAutoscaler',
  columns: COLUMNS.map((one) => ({ ...one, cell: (object, now) => one.cell(toStored(object), now) })),
  defaults: (one) => setDefault(ensureObject(one, 'spec'), 'minReplicas', 1),
  prepareCreate: (one) => {
    one.status = { currentReplicas: 0, desiredReplicas: 0 };
    return [];
  },
  validate,
  storedAs: { kind: HORIZONTAL_POD_AUTOSCALER, fromStored, toStored, fields: {} },
};

function cpuMetric(averageUtilization: number): JsonObject {
  return { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } };
}

/** Of v1 there is one target; what else v2 has stands in annotations there, as in Kubernetes. */
function fromStored(object: KubeObject): KubeObject {
  const copy: KubeObject = { ...copyJson(object), apiVersion: 'autoscaling/v1' };
  const spec = ensureObject(copy, 'spec');
  const target = cpuTarget(spec);
  const others = objectsAt(spec, 'metrics').filter((metric) => !isCpuTarget(metric));
  if (others.length > 0) ensureObject(copy.metadata, 'annotations')[METRICS] = JSON.stringify(others);
  if (spec.behavior !== undefined) ensureObject(copy.metadata, 'annotations')[BEHAVIOR] = JSON.stringify(spec.behavior);
  delete spec.metrics;
  delete spec.behavior;
  if (target !== undefined) spec.targetCPUUtilizationPercentage = target;
  if (!isObject(copy.status)) return copy;
  const kept = ['lastScaleTime', 'observedGeneration'].filter((key) => at(copy.status, key) !== undefined);
  copy.status = {
    currentReplicas: at(copy.status, 'currentReplicas') ?? 0,
    desiredReplicas: at(copy.status, 'desiredReplicas') ?? 0,
    ...Object.fromEntries(kept.map((key) => [key, at(copy.status, key) ?? null])),
  };
  return copy;
}

function toStored(object: KubeObject): KubeObject {
  const copy: KubeObject = { ...copyJson(object), apiVersion: 'autoscaling/v2' };
  const spec = ensureObject(copy, 'spec');
  const annotations = ensureObject(copy.metadata, 'annotations');
  const target = spec.targetCPUUtilizationPercentage;
  const others = readJson(annotations[METRICS]);
  const metrics = [
    ...(typeof target === 'number' ? [cpuMetric(target)] : []),
    ...(Array.isArray(others) ? others : []),
  ];
  const behavior = readJson(annotations[BEHAVIOR]);
  if (metrics.length > 0) spec.metrics = metrics;
  if (isObject(behavior)) spec.behavior = behavior;
  delete spec.targetCPUUtilizationPercentage;
  delete annotations[METRICS];
  delete annotations[BEHAVIOR];
  if (Object.keys(annotations).length === 0) delete copy.metadata.annotations;
  return copy;
}

function readJson(text: Json | undefined): Json | undefined {
  try {
    return typeof text === 'string' ? JSON.parse(text) : undefined;
  } catch {
    return undefined; // somebody's own text
  }
}

function isCpuTarget(metric: JsonObject): boolean {
  return (
    textAt(metric, 'resource', 'name') === 'cpu' &&
    numberAt(metric, 'resource', 'target', 'averageUtilization') !== undefined
  );
}

function cpuTarget(spec: JsonObject): number | undefined {
  const metric = objectsAt(spec, 'metrics').find(isCpuTarget);
  return numberAt(metric, 'resource', 'target', 'averageUtilization');
}

function targetsOf(one: KubeObject): string {
  const all = objectsAt(one, 'spec', 'metrics').map((metric) => {
    const source = Object.values(metric).find(isObject);
    const target = objectAt(source, 'target');
    const goal =
      target.averageUtilization === undefined ? (target.averageValue ?? target.value) : `${target.averageUtilization}%`;
    return `${textAt(metric, 'resource', 'name') || textAt(metric, 'type').toLowerCase()}: <unknown>/${goal}`;
  });
  return all.join(', ') || '<none>';
}

function validate(one: KubeObject): FieldError[] {
  const [least, most] = ['minReplicas', 'maxReplicas'].map((key) => numberAt(one, 'spec', key) ?? 0);
  const errors: FieldError[] = [];
  for (const key of ['kind', 'name'])
    if (textAt(one, 'spec', 'scaleTargetRef', key) === '') errors.push(required(`spec.scaleTargetRef.${key}`));
  if ((least ?? 0) < 1) errors.push(invalid('spec.minReplicas', least ?? 0, 'must be greater than or equal to 1'));
  if ((most ?? 0) < 1) errors.push(invalid('spec.maxReplicas', most ?? 0, 'must be greater than 0'));
  else if ((most ?? 0) < (least ?? 0))
    errors.push(invalid('spec.maxReplicas', most ?? 0, 'must be greater than or equal to `minReplicas`'));
  return errors;
}
