/** ConfigMap, Secret and ServiceAccount. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { at, isObject, listAt, objectAt, sameJson, setDefault, textAt } from '#spec/kinds/json.ts';
import { type FieldError, forbidden, invalid, type Kind, type KubeObject } from '#spec/kinds/kind.ts';
import { configKeyProblem } from '#spec/kinds/names.ts';

const SIZE_LIMIT = 1024 * 1024;

export const CONFIG_MAP: Kind = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  namespaced: true,
  type: 'V1ConfigMap',
  names: 'subdomain',
  columns: [
    NAME,
    column('Data', 'Number of keys.', (object) => keyCount(object, 'data') + keyCount(object, 'binaryData'), {
      type: 'integer',
    }),
    AGE,
  ],
  validate: (object) => [...validateKeys(object, 'data'), ...validateKeys(object, 'binaryData'), ...size(object)],
  validateUpdate: (object, old) => immutableData(object, old),
};

export const SECRET: Kind = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  namespaced: true,
  type: 'V1Secret',
  names: 'subdomain',
  columns: [
    NAME,
    column('Type', 'What the keys mean.', (object) => textAt(object, 'type')),
    column('Data', 'Number of keys.', (object) => keyCount(object, 'data'), { type: 'integer' }),
    AGE,
  ],
  fields: { type: (object) => textAt(object, 'type') },
  defaults: (object) => {
    setDefault(object, 'type', 'Opaque');
    takeStringData(object);
  },
  validate: (object) => [...validateKeys(object, 'data'), ...size(object)],
  validateUpdate: (object, old) => [
    ...(textAt(object, 'type') === textAt(old, 'type')
      ? []
      : [invalid('type', textAt(object, 'type'), 'field is immutable')]),
    ...immutableData(object, old),
  ],
};

export const SERVICE_ACCOUNT: Kind = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  namespaced: true,
  type: 'V1ServiceAccount',
  names: 'subdomain',
  subresources: [
    { name: 'token', verbs: ['create'], kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1' },
  ],
  columns: [
    NAME,
    column('Secrets', 'Number of secrets that it may use.', (object) => listAt(object, 'secrets').length, {
      type: 'integer',
    }),
    AGE,
  ],
};

function keyCount(object: KubeObject, key: string): number {
  return Object.keys(objectAt(object, key)).length;
}

function validateKeys(object: KubeObject, part: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of Object.keys(objectAt(object, part))) {
    const problem = configKeyProblem(key);
    if (problem !== undefined) errors.push(invalid(`${part}[${key}]`, key, problem));
  }
  return errors;
}

function size(object: KubeObject): FieldError[] {
  let bytes = 0;
  for (const part of ['data', 'binaryData']) {
    for (const value of Object.values(objectAt(object, part))) bytes += typeof value === 'string' ? value.length : 0;
  }
  if (bytes <= SIZE_LIMIT) return [];
  return [{ reason: 'FieldValueTooLong', field: '', message: `Too long: may not be more than ${SIZE_LIMIT} bytes` }];
}

/** `stringData` is a way to write `data`; it is never read back. */
function takeStringData(object: KubeObject): void {
  const given = object.stringData;
  if (!isObject(given)) return;
  const data = objectAt(object, 'data');
  for (const [key, value] of Object.entries(given)) data[key] = base64Of(String(value));
  object.data = data;
  delete object.stringData;
}

function base64Of(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function immutableData(object: KubeObject, old: KubeObject): FieldError[] {
  if (old.immutable !== true) return [];
  const errors: FieldError[] = [];
  if (object.immutable !== true) errors.push(forbidden('immutable', 'field is immutable when `immutable` is set'));
  for (const part of ['data', 'binaryData']) {
    if (!sameJson(at(object, part), at(old, part))) {
      errors.push(forbidden(part, 'field is immutable when `immutable` is set'));
    }
  }
  return errors;
}
