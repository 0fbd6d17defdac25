/** The kind PersistentVolumeClaim: kept and checked; nothing in the lab provides volumes. */
import { ACCESS_MODES, CLAIM_COLUMNS } from '#spec/kinds/columns/storage.ts';
import {
  ensureObject,
  isObject,
  type JsonObject,
  objectAt,
  sameJson,
  setDefault,
  textAt,
  textsAt,
} from '#spec/kinds/json.ts';
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
import { DEFAULT_CLASS } from '#spec/kinds/storage/class.ts';
import { readQuantity } from '#spec/quantity.ts';

const MODES = ['Block', 'Filesystem'];

export const PERSISTENT_VOLUME_CLAIM: Kind = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  singular: 'persistentvolumeclaim',
  shortNames: ['pvc'],
  namespaced: true,
  type: 'V1PersistentVolumeClaim',
  names: 'subdomain',
  status: true,
  columns: CLAIM_COLUMNS,
  defaults: defaultClaim,
  admit: takeDefaultClass,
  prepareCreate: (claim) => {
    claim.status = { phase: 'Pending' };
    return [];
  },
  validate: (claim) => validateClaimSpec(objectAt(claim, 'spec'), 'spec'),
  validateUpdate,
};

/** Of a claim, and of the templates of a StatefulSet. */
export function defaultClaim(claim: JsonObject): void {
  const spec = ensureObject(claim, 'spec');
  setDefault(spec, 'volumeMode', 'Filesystem');
  setDefault(ensureObject(claim, 'status'), 'phase', 'Pending');
}

/** Admission plugin DefaultStorageClass. */
function takeDefaultClass(claim: KubeObject, world: World): undefined {
  const spec = ensureObject(claim, 'spec');
  if (spec.storageClassName !== undefined) return;
  for (const fields of world.fieldsOf('storageclasses.storage.k8s.io')) {
    if (fields[DEFAULT_CLASS] !== '') spec.storageClassName = fields[DEFAULT_CLASS] ?? '';
  }
}

export function validateClaimSpec(spec: JsonObject, path: string): FieldError[] {
  return [
    ...validateAccessModes(spec, `${path}.accessModes`),
    ...validateRequest(objectAt(spec, 'resources', 'requests'), `${path}.resources`),
    ...validateVolumeMode(spec, path),
  ];
}

/** Of claims and volumes. */
export function validateAccessModes(spec: JsonObject, field: string): FieldError[] {
  const modes = textsAt(spec, 'accessModes');
  if (modes.length === 0) return [required(field, 'at least 1 access mode is required')];
  const errors = modes
    .filter((mode) => !ACCESS_MODES.includes(mode))
    .map((mode) => unsupported(field, mode, [...ACCESS_MODES].sort()));
  if (modes.length > 1 && modes.includes('ReadWriteOncePod'))
    errors.push(forbidden(field, 'may not use ReadWriteOncePod with other access modes'));
  return errors;
}

export function validateVolumeMode(spec: JsonObject, path: string): FieldError[] {
  const mode = textAt(spec, 'volumeMode');
  return MODES.includes(mode) ? [] : [unsupported(`${path}.volumeMode`, mode, MODES)];
}

function validateRequest(requests: JsonObject, path: string): FieldError[] {
  const { storage } = requests;
  const field = `${path}[storage]`;
  if (typeof storage !== 'string') return [required(field)];
  return (readQuantity(storage) ?? 0) > 0 ? [] : [invalid(field, storage, 'must be greater than zero')];
}

const IMMUTABLE =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

/** A claim can only be bound to a volume, once, and grow. */
function validateUpdate(claim: KubeObject, old: KubeObject): readonly FieldError[] {
  const isBound = textAt(old, 'spec', 'volumeName') !== '';
  const rest = (one: KubeObject): JsonObject => {
    const { resources, volumeName, volumeAttributesClassName, ...others } = objectAt(one, 'spec');
    return isBound
      ? { ...others, volumeName: volumeName ?? '' }
      : { ...others, ...(isObject(resources) ? { resources } : {}) };
  };
  if (!sameJson(rest(claim), rest(old))) return [forbidden('spec', IMMUTABLE)];
  const [before, after] = [old, claim].map(
    (one) => readQuantity(textAt(one, 'spec', 'resources', 'requests', 'storage')) ?? 0,
  );
  if ((after ?? 0) >= (before ?? 0)) return [];
  return [forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')];
}
