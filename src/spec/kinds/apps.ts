/** Kinds of the group apps beside DaemonSet: what keeps a number of pods. */
import {
  CONTROLLER_REVISION_COLUMNS,
  DEPLOYMENT_COLUMNS,
  REPLICASET_COLUMNS,
  STATEFULSET_COLUMNS,
} from '#spec/kinds/columns/workload.ts';
import {
  at,
  ensureObject,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  sameJson,
  setDefault,
  textAt,
} from '#spec/kinds/json.ts';
import {
  type FieldError,
  forbidden,
  invalid,
  type Kind,
  type KubeObject,
  required,
  type Subresource,
  unsupported,
} from '#spec/kinds/kind.ts';
import { notNegative, SCALE, shareErrors } from '#spec/kinds/scale.ts';
import { defaultClaim } from '#spec/kinds/storage/claim.ts';
import { defaultTemplate, immutableSelector, validateSelector, validateTemplate } from '#spec/kinds/workloads.ts';

const APPS = { group: 'apps', version: 'v1', namespaced: true, names: 'subdomain' } as const;
const SUBRESOURCES: readonly Subresource[] = [SCALE];

export const DEPLOYMENT: Kind = {
  ...APPS,
  kind: 'Deployment',
  plural: 'deployments',
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  type: 'V1Deployment',
  status: true,
  subresources: SUBRESOURCES,
  generation: true,
  columns: DEPLOYMENT_COLUMNS,
  defaults: (object) => {
    const spec = ensureObject(object, 'spec');
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'progressDeadlineSeconds', 600);
    const strategy = ensureObject(spec, 'strategy');
    setDefault(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate') {
      const rolling = ensureObject(strategy, 'rollingUpdate');
      setDefault(rolling, 'maxUnavailable', '25%');
      setDefault(rolling, 'maxSurge', '25%');
    }
    defaultTemplate(object);
  },
  prepareCreate: emptyStatus,
  validate: (object) => [
    ...notNegative(object, ['spec', 'replicas']),
    ...notNegative(object, ['spec', 'minReadySeconds']),
    ...notNegative(object, ['spec', 'revisionHistoryLimit']),
    ...validateSelector(object),
    ...validateTemplate(object, ['Always']),
    ...validateStrategy(object),
    ...validateDeadline(object),
  ],
  validateUpdate: immutableSelector,
};

export const REPLICA_SET: Kind = {
  ...APPS,
  kind: 'ReplicaSet',
  plural: 'replicasets',
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  type: 'V1ReplicaSet',
  status: true,
  subresources: SUBRESOURCES,
  generation: true,
  columns: REPLICASET_COLUMNS,
  fields: { 'status.replicas': (object) => String(numberAt(object, 'status', 'replicas') ?? 0) },
  defaults: (object) => {
    setDefault(ensureObject(object, 'spec'), 'replicas', 1);
    defaultTemplate(object);
  },
  prepareCreate: (object) => {
    object.status = { replicas: 0 };
    return [];
  },
  validate: (object) => [
    ...notNegative(object, ['spec', 'replicas']),
    ...notNegative(object, ['spec', 'minReadySeconds']),
    ...validateSelector(object),
    ...validateTemplate(object, ['Always']),
  ],
  validateUpdate: immutableSelector,
};

export const STATEFUL_SET: Kind = {
  ...APPS,
  kind: 'StatefulSet',
  plural: 'statefulsets',
  singular: 'statefulset',
  shortNames: ['sts'],
  categories: ['all'],
  type: 'V1StatefulSet',
  status: true,
  subresources: SUBRESOURCES,
  generation: true,
  columns: STATEFULSET_COLUMNS,
  defaults: (object) => {
    const spec = ensureObject(object, 'spec');
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'podManagementPolicy', 'OrderedReady');
    const retention = ensureObject(spec, 'persistentVolumeClaimRetentionPolicy');
    setDefault(retention, 'whenDeleted', 'Retain');
    setDefault(retention, 'whenScaled', 'Retain');
    const strategy = ensureObject(spec, 'updateStrategy');
    setDefault(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate') setDefault(ensureObject(strategy, 'rollingUpdate'), 'partition', 0);
    for (const claim of objectsAt(spec, 'volumeClaimTemplates')) defaultClaimTemplate(claim);
    defaultTemplate(object);
  },
  prepareCreate: (object) => {
    object.status = { replicas: 0, availableReplicas: 0 };
    return [];
  },
  validate: (object) => [
    ...notNegative(object, ['spec', 'replicas']),
    ...notNegative(object, ['spec', 'minReadySeconds']),
    ...notNegative(object, ['spec', 'updateStrategy', 'rollingUpdate', 'partition']),
    ...oneOf(object, ['spec', 'podManagementPolicy'], ['OrderedReady', 'Parallel']),
    ...oneOf(object, ['spec', 'updateStrategy', 'type'], ['RollingUpdate', 'OnDelete']),
    ...validateSelector(object),
    ...validateTemplate(object, ['Always']),
  ],
  validateUpdate: validateStatefulUpdate,
};

export const CONTROLLER_REVISION: Kind = {
  ...APPS,
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  singular: 'controllerrevision',
  type: 'V1ControllerRevision',
  columns: CONTROLLER_REVISION_COLUMNS,
  validate: (object) => notNegative(object, ['revision']),
  validateUpdate: (object, old) =>
    sameJson(object.data, old.data) ? [] : [invalid('data', object.data ?? null, 'field is immutable')],
};

function emptyStatus(object: KubeObject): readonly FieldError[] {
  object.status = {};
  return [];
}

function oneOf(object: KubeObject, path: readonly string[], allowed: readonly string[]): FieldError[] {
  const value = textAt(object, ...path);
  return allowed.includes(value) ? [] : [unsupported(path.join('.'), value, allowed)];
}

function validateStrategy(object: KubeObject): FieldError[] {
  const strategy = objectAt(object, 'spec', 'strategy');
  const type = textAt(strategy, 'type');
  if (type !== 'RollingUpdate' && type !== 'Recreate')
    return [unsupported('spec.strategy.type', type, ['Recreate', 'RollingUpdate'])];
  if (type === 'Recreate') {
    const why = "may not be specified when strategy `type` is 'Recreate'";
    return strategy.rollingUpdate === undefined ? [] : [forbidden('spec.strategy.rollingUpdate', why)];
  }
  const rolling = objectAt(strategy, 'rollingUpdate');
  const errors = ['maxUnavailable', 'maxSurge'].flatMap((key) =>
    shareErrors(rolling[key], `spec.strategy.rollingUpdate.${key}`),
  );
  const isZero = (key: string) => rolling[key] === 0 || rolling[key] === '0%';
  if (isZero('maxUnavailable') && isZero('maxSurge'))
    errors.push(
      invalid(
        'spec.strategy.rollingUpdate.maxUnavailable',
        rolling.maxUnavailable ?? 0,
        'may not be 0 when `maxSurge` is 0',
      ),
    );
  return errors;
}

function validateDeadline(object: KubeObject): FieldError[] {
  const deadline = numberAt(object, 'spec', 'progressDeadlineSeconds') ?? 600;
  const ready = numberAt(object, 'spec', 'minReadySeconds') ?? 0;
  if (deadline > ready) return [];
  return [invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')];
}

/** A template of claims is stored as a whole claim. */
function defaultClaimTemplate(claim: JsonObject): void {
  setDefault(claim, 'apiVersion', 'v1');
  setDefault(claim, 'kind', 'PersistentVolumeClaim');
  defaultClaim(claim);
}

const STATEFUL_CHANGEABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

function validateStatefulUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const rest = (one: KubeObject) => {
    const spec = at(one, 'spec');
    const entries = Object.entries(isObject(spec) ? spec : {});
    return Object.fromEntries(entries.filter(([key]) => !STATEFUL_CHANGEABLE.includes(key)));
  };
  if (sameJson(rest(object), rest(old))) return [];
  const why =
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', " +
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
  return [forbidden('spec', why)];
}

/** The field must be there. */
export function needs(object: KubeObject, ...path: readonly string[]): FieldError[] {
  const value = at(object, ...path);
  return value === undefined || value === '' ? [required(path.join('.'))] : [];
}
