/** The kind CustomResourceDefinition (apiextensions.k8s.io/v1). */

import { column, NAME } from '#spec/kinds/columns/common.ts';
import { schemaErrors } from '#spec/kinds/custom/check-schema.ts';
import { parseJsonPath } from '#spec/kinds/custom/json-path.ts';
import {
  at,
  copyJson,
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
  invalid,
  type Kind,
  type KubeObject,
  required,
  unsupported,
  type World,
} from '#spec/kinds/kind.ts';
import { labelProblem, nameProblem, subdomainProblem } from '#spec/kinds/names.ts';

/** Instances go before their definition does (`serve/api/content/definitions.ts`). */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';
export const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io';
const APPROVED = 'api-approved.kubernetes.io';
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];

export const CUSTOM_RESOURCE_DEFINITION: Kind = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  type: 'V1CustomResourceDefinition',
  names: 'subdomain',
  status: true,
  generation: true,
  columns: [
    NAME,
    column('Created At', 'When it was made.', (object) => textAt(object, 'metadata', 'creationTimestamp'), {
      type: 'date',
    }),
  ],
  fields: {
    'polder.names': (object) =>
      [textAt(object, 'spec', 'group'), object.metadata.name, ...takenNames(object)].join(' '),
  },
  defaults: fillIn,
  prepareCreate: (object, world) => {
    object.metadata.finalizers = [...new Set([...textsAt(object, 'metadata', 'finalizers'), CLEANUP_FINALIZER])];
    object.status = {};
    settle(object, world);
    return [];
  },
  prepareUpdate: (object, old, world) => {
    // What is being deleted keeps the names that it had.
    object.status = copyJson(objectAt(old, 'status'));
    if (textAt(old, 'metadata', 'deletionTimestamp') === '') settle(object, world);
    return [];
  },
  validate,
  validateUpdate,
  markDeleted: (object) => {
    setCondition(
      object,
      {
        type: 'Terminating',
        status: 'True',
        reason: 'InstanceDeletionPending',
        message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
      },
      textAt(object, 'metadata', 'deletionTimestamp'),
    );
  },
};

function fillIn(object: KubeObject): void {
  const spec = ensureObject(object, 'spec');
  const names = ensureObject(spec, 'names');
  setDefault(names, 'singular', textAt(names, 'kind').toLowerCase());
  setDefault(names, 'listKind', `${textAt(names, 'kind')}List`);
  setDefault(ensureObject(spec, 'conversion'), 'strategy', 'None');
}

/** Names that must be one kind's alone within its group. */
function takenNames(object: KubeObject): string[] {
  const names = objectAt(object, 'spec', 'names');
  return [
    textAt(names, 'plural'),
    textAt(names, 'singular'),
    ...textsAt(names, 'shortNames'),
    `/${textAt(names, 'kind')}`,
    `/${textAt(names, 'listKind')}`,
  ];
}

/** Decides whether the names are free, and writes what follows from it into the status. Changes its argument. */
function settle(object: KubeObject, world: World): void {
  const status = ensureObject(object, 'status');
  const time = new Date(world.now).toISOString().replace(/\.\d{3}Z$/, 'Z');
  const taken = conflicting(object, world);
  const stored = objectsAt(object, 'spec', 'versions').find((version) => version.storage === true);
  const versions = textsAt(status, 'storedVersions');
  const storedName = textAt(stored, 'name');
  status.storedVersions = versions.includes(storedName) || storedName === '' ? versions : [...versions, storedName];
  if (taken === undefined) {
    status.acceptedNames = objectAt(object, 'spec', 'names');
    setCondition(
      object,
      { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' },
      time,
    );
    setCondition(
      object,
      {
        type: 'Established',
        status: 'True',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      },
      time,
    );
    return;
  }
  setDefault(status, 'acceptedNames', { kind: '', plural: '' });
  setCondition(
    object,
    {
      type: 'NamesAccepted',
      status: 'False',
      reason: 'NameConflict',
      message: `${JSON.stringify(taken)} is already in use`,
    },
    time,
  );
  if (!isEstablished(object))
    setCondition(
      object,
      { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' },
      time,
    );
}

function conflicting(object: KubeObject, world: World): string | undefined {
  const mine = takenNames(object);
  for (const { 'polder.names': text = '' } of world.fieldsOf(DEFINITIONS)) {
    const [group, name, ...names] = text.split(' ');
    if (group !== textAt(object, 'spec', 'group') || name === object.metadata.name) continue;
    const found = mine.find((one) => names.includes(one));
    if (found !== undefined) return found.replace('/', '');
  }
  return undefined;
}

function setCondition(
  object: KubeObject,
  condition: { readonly type: string; readonly status: string; readonly reason: string; readonly message: string },
  time: string,
): void {
  const status = ensureObject(object, 'status');
  const before = objectsAt(status, 'conditions');
  const same = before.find((one) => one.type === condition.type && one.status === condition.status);
  const next = { ...condition, lastTransitionTime: textAt(same, 'lastTransitionTime') || time };
  const known = before.some((one) => one.type === condition.type);
  status.conditions = known ? before.map((one) => (one.type === condition.type ? next : one)) : [...before, next];
}

/** Whether its kinds are served. */
export function isEstablished(object: KubeObject): boolean {
  return objectsAt(object, 'status', 'conditions').some((one) => one.type === 'Established' && one.status === 'True');
}

function validate(object: KubeObject): FieldError[] {
  return [...validateNames(object), ...validateVersions(object), ...validateRest(object)];
}

function validateNames(object: KubeObject): FieldError[] {
  const names = objectAt(object, 'spec', 'names');
  const [plural, group] = [textAt(names, 'plural'), textAt(object, 'spec', 'group')];
  const errors: FieldError[] = [];
  if (group === '') errors.push(required('spec.group'));
  else if (!group.includes('.')) errors.push(invalid('spec.group', group, 'should be a domain with at least one dot'));
  else errors.push(...problem('spec.group', group, subdomainProblem(group)));
  if (object.metadata.name !== `${plural}.${group}`)
    errors.push(invalid('metadata.name', object.metadata.name, `must be spec.names.plural+"."+spec.group`));
  for (const [key, value] of [
    ['plural', plural],
    ['singular', textAt(names, 'singular')],
    ['kind', textAt(names, 'kind').toLowerCase()],
  ] as const)
    errors.push(
      ...(value === ''
        ? [required(`spec.names.${key}`)]
        : problem(`spec.names.${key}`, value, nameProblem('label-1035', value))),
    );
  for (const [index, name] of textsAt(names, 'shortNames').entries())
    errors.push(...problem(`spec.names.shortNames[${index}]`, name, labelProblem(name)));
  if (textAt(names, 'listKind') === textAt(names, 'kind'))
    errors.push(invalid('spec.names.listKind', textAt(names, 'listKind'), 'kind and listKind may not be the same'));
  return errors;
}

function problem(field: string, value: string, why: string | undefined): FieldError[] {
  return why === undefined ? [] : [invalid(field, value, why)];
}

function validateVersions(object: KubeObject): FieldError[] {
  const versions = objectsAt(object, 'spec', 'versions');
  if (versions.length === 0)
    return [required('spec.versions', 'must have exactly one version marked as storage version')];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, version] of versions.entries()) {
    const [path, name] = [`spec.versions[${index}]`, textAt(version, 'name')];
    if (seen.has(name)) errors.push(duplicate(`${path}.name`, name));
    seen.add(name);
    errors.push(...problem(`${path}.name`, name, nameProblem('label-1035', name)), ...validateVersion(version, path));
  }
  if (versions.filter((version) => version.storage === true).length !== 1)
    errors.push(invalid('spec.versions', versions, 'must have exactly one version marked as storage version'));
  return errors;
}

function validateVersion(version: JsonObject, path: string): FieldError[] {
  const schema = at(version, 'schema', 'openAPIV3Schema');
  const errors = isObject(schema)
    ? schemaErrors(schema, `${path}.schema.openAPIV3Schema`)
    : [required(`${path}.schema.openAPIV3Schema`, 'schemas are required')];
  for (const [index, one] of objectsAt(version, 'additionalPrinterColumns').entries()) {
    const field = `${path}.additionalPrinterColumns[${index}]`;
    if (textAt(one, 'name') === '') errors.push(required(`${field}.name`));
    if (!COLUMN_TYPES.includes(textAt(one, 'type')))
      errors.push(unsupported(`${field}.type`, textAt(one, 'type'), COLUMN_TYPES));
    errors.push(...validatePath(textAt(one, 'jsonPath'), `${field}.jsonPath`));
  }
  const scale = at(version, 'subresources', 'scale');
  if (isObject(scale))
    for (const key of ['specReplicasPath', 'statusReplicasPath'])
      errors.push(...validatePath(textAt(scale, key), `${path}.subresources.scale.${key}`));
  return errors;
}

function validatePath(text: string, field: string): FieldError[] {
  if (text === '') return [required(field, 'JSONPath must be given')];
  try {
    parseJsonPath(text);
    return [];
  } catch (error) {
    return [invalid(field, text, error instanceof Error ? error.message : 'cannot be read')];
  }
}

function validateRest(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const scope = textAt(object, 'spec', 'scope');
  if (scope !== 'Cluster' && scope !== 'Namespaced')
    errors.push(unsupported('spec.scope', scope, ['Cluster', 'Namespaced']));
  const strategy = textAt(object, 'spec', 'conversion', 'strategy');
  // A webhook would have to be called from inside of the store's one turn.
  if (strategy !== 'None') errors.push(unsupported('spec.conversion.strategy', strategy, ['None']));
  if (at(object, 'spec', 'preserveUnknownFields') === true)
    errors.push(
      invalid(
        'spec.preserveUnknownFields',
        true,
        'must be false in apiextensions.k8s.io/v1: use x-kubernetes-preserve-unknown-fields in the schema',
      ),
    );
  const isProtected = /(^|\.)(k8s|kubernetes)\.io$/.test(textAt(object, 'spec', 'group'));
  if (isProtected && textAt(object, 'metadata', 'annotations', APPROVED) === '')
    errors.push(
      required(
        `metadata.annotations[${APPROVED}]`,
        'protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
      ),
    );
  return errors;
}

function validateUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const path of [
    ['spec', 'group'],
    ['spec', 'scope'],
    ['spec', 'names', 'kind'],
    ['spec', 'names', 'plural'],
  ]) {
    if (textAt(object, ...path) !== textAt(old, ...path))
      errors.push(invalid(path.join('.'), textAt(object, ...path), 'field is immutable'));
  }
  const names = objectsAt(object, 'spec', 'versions').map((version) => textAt(version, 'name'));
  for (const [index, version] of textsAt(old, 'status', 'storedVersions').entries())
    if (!names.includes(version))
      errors.push(invalid(`status.storedVersions[${index}]`, version, 'must appear in spec.versions'));
  return errors;
}
