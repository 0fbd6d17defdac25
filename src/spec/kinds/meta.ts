/** Checks of `metadata`, the same for every kind (Kubernetes `validation.ValidateObjectMeta`). */
import { isObject, objectAt, objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';
import { type FieldError, invalid, type Kind, type KubeObject, required } from '#spec/kinds/kind.ts';
import { labelProblem, labelValueProblem, nameProblem, qualifiedNameProblem } from '#spec/kinds/names.ts';

const ANNOTATIONS_LIMIT = 256 * 1024;

export function validateMeta(object: KubeObject, kind: Kind): FieldError[] {
  return [
    ...validateName(object, kind),
    ...validateNamespace(object, kind),
    ...validateLabels(object),
    ...validateAnnotations(object),
    ...validateOwners(object),
    ...validateFinalizers(object),
  ];
}

function validateName(object: KubeObject, kind: Kind): FieldError[] {
  const name = textAt(object, 'metadata', 'name');
  if (name === '') return [required('metadata.name', 'name or generateName is required')];
  const problem = nameProblem(kind.names, name);
  return problem === undefined ? [] : [invalid('metadata.name', name, problem)];
}

function validateNamespace(object: KubeObject, kind: Kind): FieldError[] {
  const namespace = textAt(object, 'metadata', 'namespace');
  if (!kind.namespaced || namespace === '') return [];
  const problem = labelProblem(namespace);
  return problem === undefined ? [] : [invalid('metadata.namespace', namespace, problem)];
}

function validateLabels(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(objectAt(object, 'metadata', 'labels'))) {
    const keyProblem = qualifiedNameProblem(key);
    if (keyProblem !== undefined) errors.push(invalid('metadata.labels', key, keyProblem));
    const problem = labelValueProblem(String(value));
    if (problem !== undefined) errors.push(invalid('metadata.labels', value, problem));
  }
  return errors;
}

function validateAnnotations(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(objectAt(object, 'metadata', 'annotations'))) {
    const problem = qualifiedNameProblem(key.toLowerCase());
    if (problem !== undefined) errors.push(invalid('metadata.annotations', key, problem));
    size += key.length + String(value).length;
  }
  if (size <= ANNOTATIONS_LIMIT) return errors;
  return [
    ...errors,
    {
      reason: 'FieldValueTooLong',
      field: 'metadata.annotations',
      message: `Too long: may not be more than ${ANNOTATIONS_LIMIT} bytes`,
    },
  ];
}

const OWNER_KEYS = ['apiVersion', 'kind', 'name', 'uid'];

function validateOwners(object: KubeObject): FieldError[] {
  const owners = objectsAt(object, 'metadata', 'ownerReferences');
  const errors = owners.flatMap((owner, index) =>
    OWNER_KEYS.filter((key) => textAt(owner, key) === '').map((key) =>
      invalid(`metadata.ownerReferences[${index}].${key}`, '', 'must not be empty'),
    ),
  );
  const managing = owners.filter((owner) => owner.controller === true).map((owner) => textAt(owner, 'name'));
  if (managing.length < 2) return errors;
  const why = `Only one reference can have Controller set to true. Found "true" in references for ${managing.slice(0, 2).join(' and ')}`;
  return [...errors, invalid('metadata.ownerReferences', owners, why)];
}

/** Finalizers that have no domain of their own. */
const STANDARD_FINALIZERS = ['orphan', 'foregroundDeletion', 'kubernetes'];

function validateFinalizers(object: KubeObject): FieldError[] {
  return textsAt(object, 'metadata', 'finalizers').flatMap((name) => {
    const problem = qualifiedNameProblem(name);
    return problem === undefined || STANDARD_FINALIZERS.includes(name)
      ? []
      : [invalid('metadata.finalizers', name, problem)];
  });
}

/** Fields of metadata that the server owns: an update takes them from the stored object. */
const OWNED = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'generateName',
];

/** Takes the server's own fields of metadata from the stored object. */
export function keepOwnedMeta(object: KubeObject, old: KubeObject): void {
  for (const key of OWNED) {
    const value = old.metadata[key];
    if (value === undefined) delete object.metadata[key];
    else object.metadata[key] = value;
  }
}

/** Whether a decoded value has what every object has. */
export function isKubeObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return false;
  const { metadata } = value;
  return typeof metadata === 'object' && metadata !== null && isObject({ ...metadata });
}
