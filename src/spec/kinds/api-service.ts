/** The kind APIService: another API server behind this one. Kept, and never asked: its status says so. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { isObject, numberAt, objectAt, objectsAt, setDefault, textAt } from '#spec/kinds/json.ts';
import { type FieldError, invalid, type Kind, type KubeObject, required } from '#spec/kinds/kind.ts';

const MESSAGE = 'API servers behind this one are not asked';

export const API_SERVICE: Kind = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  singular: 'apiservice',
  categories: ['api-extensions'],
  namespaced: false,
  type: 'V1APIService',
  names: 'subdomain',
  warning: `APIServices are kept: ${MESSAGE}`,
  status: true,
  columns: [
    NAME,
    column('Service', 'Who serves it.', serviceOf),
    column('Available', 'Whether it can be asked.', availability),
    AGE,
  ],
  defaults: (one) => {
    const service = objectAt(one, 'spec').service;
    if (isObject(service)) setDefault(service, 'port', 443);
  },
  prepareCreate: (one, { now }) => {
    const lastTransitionTime = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
    const why = { reason: 'NotAggregated', message: MESSAGE };
    one.status = { conditions: [{ type: 'Available', status: 'False', ...why, lastTransitionTime }] };
    return [];
  },
  validate,
};

function validate(one: KubeObject): FieldError[] {
  const [group, version] = [textAt(one, 'spec', 'group'), textAt(one, 'spec', 'version')];
  const errors: FieldError[] = [];
  if (one.metadata.name !== `${version}.${group}`)
    errors.push(invalid('metadata.name', one.metadata.name, 'must be `spec.version+"."+spec.group`'));
  if (version === '') errors.push(required('spec.version'));
  for (const key of ['groupPriorityMinimum', 'versionPriority']) {
    const value = numberAt(one, 'spec', key) ?? 0;
    if (value <= 0) errors.push(invalid(`spec.${key}`, value, 'must be positive'));
  }
  return errors;
}

function serviceOf(one: KubeObject): string {
  const { namespace, name } = objectAt(one, 'spec', 'service');
  return name === undefined ? 'Local' : `${namespace}/${name}`;
}

function availability(one: KubeObject): string {
  const found = objectsAt(one, 'status', 'conditions').find(({ type }) => type === 'Available');
  if (found === undefined) return 'Unknown';
  return found.status === 'True' ? 'True' : `${textAt(found, 'status')} (${textAt(found, 'reason')})`;
}
