/** LimitRange and ResourceQuota: kept and checked; neither is enforced. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import {
  ensureObject,
  isObject,
  type JsonObject,
  objectAt,
  objectsAt,
  setDefault,
  textAt,
  textsAt,
} from '#spec/kinds/json.ts';
import {
  duplicate,
  type FieldError,
  forbidden,
  invalid,
  type Kind,
  type KubeObject,
  required,
  unsupported,
} from '#spec/kinds/kind.ts';
import { qualifiedNameProblem } from '#spec/kinds/names.ts';
import { readQuantity } from '#spec/quantity.ts';

const CORE = { group: '', version: 'v1', namespaced: true, names: 'subdomain' } as const;
const CONTAINER = 'Container';
const LIMITED = [CONTAINER, 'PersistentVolumeClaim', 'Pod'];
const SCOPES = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
];

export const LIMIT_RANGE: Kind = {
  ...CORE,
  kind: 'LimitRange',
  plural: 'limitranges',
  singular: 'limitrange',
  shortNames: ['limits'],
  type: 'V1LimitRange',
  columns: [NAME, column('Created At', 'When it was made.', (one) => textAt(one, 'metadata', 'creationTimestamp'))],
  defaults: (range) => {
    for (const item of objectsAt(range, 'spec', 'limits')) if (item.type === CONTAINER) defaultItem(item);
  },
  validate: (range) => [
    ...objectsAt(range, 'spec', 'limits').flatMap((item, index) => validateItem(item, `spec.limits[${index}]`)),
    ...typesTwice(range),
  ],
};

/** What is missing follows from what is there: default from max, defaultRequest from default, then from min. */
function defaultItem(item: JsonObject): void {
  for (const [to, from] of [
    ['default', 'max'],
    ['defaultRequest', 'default'],
    ['defaultRequest', 'min'],
  ] as const) {
    const source = item[from];
    if (!isObject(source)) continue;
    const target = ensureObject(item, to);
    for (const [name, value] of Object.entries(source)) setDefault(target, name, value);
  }
}

function validateItem(item: JsonObject, path: string): FieldError[] {
  const type = textAt(item, 'type');
  if (type === '') return [required(`${path}.type`)];
  const problem = type.includes('/') ? qualifiedNameProblem(type) : undefined;
  if (problem !== undefined) return [invalid(`${path}.type`, type, problem)];
  if (!type.includes('/') && !LIMITED.includes(type)) return [unsupported(`${path}.type`, type, LIMITED)];
  const errors: FieldError[] = [];
  for (const key of type === 'Pod' ? ['default', 'defaultRequest'] : [])
    if (isObject(item[key])) errors.push(forbidden(`${path}.${key}`, "may not be specified when `type` is 'Pod'"));
  return [...errors, ...validateOrder(item, path)];
}

/** Smaller, larger and how the larger one is called. */
const ORDER = [
  ['min', 'max', 'max'],
  ['min', 'default', 'default'],
  ['min', 'defaultRequest', 'default request'],
  ['defaultRequest', 'max', 'max'],
  ['defaultRequest', 'default', 'default limit'],
  ['default', 'max', 'max'],
] as const;

function validateOrder(item: JsonObject, path: string): FieldError[] {
  return ORDER.flatMap(([less, more, word]) =>
    Object.entries(objectAt(item, less)).flatMap(([name, small]) => {
      const large = textAt(item, more, name);
      if (large === '' || (readQuantity(String(small)) ?? 0) <= (readQuantity(large) ?? 0)) return [];
      const why = `${less} value ${String(small)} is greater than ${word} value ${large}`;
      return [invalid(`${path}.${less}[${name}]`, small, why)];
    }),
  );
}

function typesTwice(range: KubeObject): FieldError[] {
  const types = objectsAt(range, 'spec', 'limits').map((item) => textAt(item, 'type'));
  return types.flatMap((type, index) =>
    types.indexOf(type) < index ? [duplicate(`spec.limits[${index}].type`, type)] : [],
  );
}

export const RESOURCE_QUOTA: Kind = {
  ...CORE,
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  singular: 'resourcequota',
  shortNames: ['quota'],
  type: 'V1ResourceQuota',
  status: true,
  columns: [
    NAME,
    column('Request', 'Used, of what may be requested.', (one) => usage(one, (name) => !isLimit(name))),
    column('Limit', 'Used, of what limits may add up to.', (one) => usage(one, isLimit)),
    AGE,
  ],
  defaults: (quota) => {
    ensureObject(quota, 'spec');
  },
  prepareCreate: (quota) => {
    quota.status = {};
    return [];
  },
  validate: validateQuota,
  validateUpdate: (quota, old) => {
    const scopes = (one: KubeObject): string => textsAt(one, 'spec', 'scopes').toSorted().join();
    return scopes(quota) === scopes(old)
      ? []
      : [invalid('spec.scopes', textsAt(quota, 'spec', 'scopes'), 'field is immutable')];
  },
};

function isLimit(name: string): boolean {
  return name.startsWith('limits.');
}

function usage(quota: KubeObject, wanted: (name: string) => boolean): string {
  return Object.entries(objectAt(quota, 'status', 'hard'))
    .filter(([name]) => wanted(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hard]) => `${name}: ${textAt(quota, 'status', 'used', name) || '0'}/${String(hard)}`)
    .join(', ');
}

function validateQuota(quota: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const [name, amount] of Object.entries(objectAt(quota, 'spec', 'hard'))) {
    const problem = qualifiedNameProblem(name);
    if (problem !== undefined) errors.push(invalid(`spec.hard[${name}]`, name, problem));
    if ((readQuantity(String(amount)) ?? 0) < 0)
      errors.push(invalid(`spec.hard[${name}]`, amount, 'must be greater than or equal to 0'));
  }
  for (const scope of textsAt(quota, 'spec', 'scopes'))
    if (!SCOPES.includes(scope)) errors.push(unsupported('spec.scopes', scope, SCOPES));
  return errors;
}
