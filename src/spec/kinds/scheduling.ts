/** Kinds that say which pods matter how much: PriorityClass and PodDisruptionBudget. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { at, numberAt, sameJson, setDefault, textAt } from '#spec/kinds/json.ts';
import {
  type FieldError,
  forbidden,
  invalid,
  type Kind,
  type KubeObject,
  required,
  unsupported,
  type World,
} from '#spec/kinds/kind.ts';

/** Index of the server: the class's name if pods without a class get it, else ''. */
export const DEFAULT_PRIORITY_CLASS = 'polder.default';

/** Classes that every cluster has. */
export const SYSTEM_PRIORITY_CLASSES = {
  'system-cluster-critical': {
    value: 2_000_000_000,
    description:
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
  'system-node-critical': {
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
} as const satisfies Readonly<Record<string, { readonly value: number; readonly description: string }>>;

const SYSTEM_PREFIX = 'system-';
const USER_LIMIT = 1_000_000_000;
const POLICIES = ['Never', 'PreemptLowerPriority'];

export const PRIORITY_CLASS: Kind = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  singular: 'priorityclass',
  shortNames: ['pc'],
  namespaced: false,
  type: 'V1PriorityClass',
  names: 'subdomain',
  generation: true,
  fields: { [DEFAULT_PRIORITY_CLASS]: (one) => (one.globalDefault === true ? one.metadata.name : '') },
  columns: [
    NAME,
    column('Value', 'Higher comes first.', (object) => numberAt(object, 'value') ?? 0, { type: 'integer' }),
    column('Global-Default', 'For pods that name none.', (one) => String(one.globalDefault === true)),
    AGE,
    column('PreemptionPolicy', 'Whether others give way.', (one) => textAt(one, 'preemptionPolicy')),
  ],
  defaults: (object) => {
    setDefault(object, 'preemptionPolicy', 'PreemptLowerPriority');
  },
  admit: otherDefault,
  prepareUpdate: (object, _old, world) => {
    const why = otherDefault(object, world);
    return why === undefined ? [] : [forbidden('globalDefault', why)];
  },
  validate: validateClass,
  validateUpdate: validateClassUpdate,
};

/** Admission plugin Priority: one class at most is that of pods that name none. */
function otherDefault(object: KubeObject, world: World): string | undefined {
  if (object.globalDefault !== true) return undefined;
  for (const fields of world.fieldsOf('priorityclasses.scheduling.k8s.io')) {
    const other = fields[DEFAULT_PRIORITY_CLASS] ?? '';
    if (other !== '' && other !== object.metadata.name)
      return `PriorityClass ${other} is already marked as default. Only one default can exist`;
  }
  return undefined;
}

function validateClass(object: KubeObject): FieldError[] {
  const value = numberAt(object, 'value');
  if (value === undefined) return [required('value')];
  const errors = reserved(object.metadata.name, value, object.globalDefault === true);
  const policy = textAt(object, 'preemptionPolicy');
  return POLICIES.includes(policy) ? errors : [...errors, unsupported('preemptionPolicy', policy, POLICIES)];
}

/** What only the system's own classes may be called and be worth. */
function reserved(name: string, value: number, isDefault: boolean): FieldError[] {
  if (!name.startsWith(SYSTEM_PREFIX))
    return value > USER_LIMIT
      ? [forbidden('value', `maximum allowed value of a user defined priority is ${USER_LIMIT}`)]
      : [];
  const known = Object.entries(SYSTEM_PRIORITY_CLASSES).find(([one]) => one === name)?.[1];
  const why =
    known === undefined
      ? `${name} is not a known system priority class`
      : known.value !== value
        ? `value of ${name} PriorityClass must be ${known.value}`
        : isDefault
          ? `globalDefault of ${name} PriorityClass must be false`
          : undefined;
  const what = `priority class names with '${SYSTEM_PREFIX}' prefix are reserved for system use only. error: ${why}`;
  return why === undefined ? [] : [forbidden('metadata.name', what)];
}

function validateClassUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const errors = sameJson(object.value, old.value) ? [] : [forbidden('value', 'may not be changed in an update.')];
  const policy = textAt(object, 'preemptionPolicy');
  return policy === textAt(old, 'preemptionPolicy')
    ? errors
    : [...errors, invalid('preemptionPolicy', policy, 'field is immutable')];
}

export const POD_DISRUPTION_BUDGET: Kind = {
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  singular: 'poddisruptionbudget',
  shortNames: ['pdb'],
  namespaced: true,
  type: 'V1PodDisruptionBudget',
  names: 'subdomain',
  status: true,
  generation: true,
  columns: [
    NAME,
    column('Min Available', 'Pods that must stay.', (one) => share(one, 'minAvailable')),
    column('Max Unavailable', 'Pods that may go.', (one) => share(one, 'maxUnavailable')),
    column(
      'Allowed Disruptions',
      'Pods that may go now.',
      (one) => numberAt(one, 'status', 'disruptionsAllowed') ?? 0,
      {
        type: 'integer',
      },
    ),
    AGE,
  ],
  prepareCreate: (object) => {
    object.status = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };
    return [];
  },
  validate: (object) => {
    const both = at(object, 'spec', 'minAvailable') !== undefined && at(object, 'spec', 'maxUnavailable') !== undefined;
    const why = 'minAvailable and maxUnavailable cannot be both set';
    return both ? [invalid('spec', object.spec ?? null, why)] : [];
  },
};

function share(budget: KubeObject, key: string): string | number {
  const value = at(budget, 'spec', key);
  return typeof value === 'number' || typeof value === 'string' ? value : 'N/A';
}
