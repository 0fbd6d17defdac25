/** The kind PersistentVolume: kept and checked. */
import { VOLUME_COLUMNS } from '#spec/kinds/columns/storage.ts';
import { ensureObject, isObject, type JsonObject, objectAt, sameJson, setDefault, textAt } from '#spec/kinds/json.ts';
import {
  type FieldError,
  forbidden,
  invalid,
  type Kind,
  type KubeObject,
  required,
  unsupported,
} from '#spec/kinds/kind.ts';
import { validateAccessModes, validateVolumeMode } from '#spec/kinds/storage/claim.ts';
import { readQuantity } from '#spec/quantity.ts';

const POLICIES = ['Delete', 'Recycle', 'Retain'];
/** What a PersistentVolumeSpec has beside its one source. */
const COMMON: ReadonlySet<string> = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);

export const PERSISTENT_VOLUME: Kind = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  singular: 'persistentvolume',
  shortNames: ['pv'],
  namespaced: false,
  type: 'V1PersistentVolume',
  names: 'subdomain',
  status: true,
  columns: VOLUME_COLUMNS,
  defaults: (volume) => {
    const spec = ensureObject(volume, 'spec');
    setDefault(spec, 'persistentVolumeReclaimPolicy', 'Retain');
    setDefault(spec, 'volumeMode', 'Filesystem');
    if (isObject(spec.hostPath)) setDefault(spec.hostPath, 'type', '');
    setDefault(ensureObject(volume, 'status'), 'phase', 'Pending');
  },
  prepareCreate: (volume) => {
    volume.status = { phase: 'Pending' };
    return [];
  },
  validate: (volume) => validateSpec(objectAt(volume, 'spec')),
  validateUpdate,
};

function sourcesOf(spec: JsonObject): string[] {
  return Object.keys(spec).filter((key) => !COMMON.has(key));
}

function validateSpec(spec: JsonObject): FieldError[] {
  const policy = textAt(spec, 'persistentVolumeReclaimPolicy');
  return [
    ...validateAccessModes(spec, 'spec.accessModes'),
    ...validateCapacity(objectAt(spec, 'capacity')),
    ...validateSource(spec),
    ...(POLICIES.includes(policy) ? [] : [unsupported('spec.persistentVolumeReclaimPolicy', policy, POLICIES)]),
    ...validateVolumeMode(spec, 'spec'),
  ];
}

function validateCapacity(capacity: JsonObject): FieldError[] {
  const { storage } = capacity;
  if (Object.keys(capacity).length === 0) return [required('spec.capacity')];
  if (typeof storage !== 'string') return [unsupported('spec.capacity', Object.keys(capacity), ['storage'])];
  return (readQuantity(storage) ?? 0) > 0
    ? []
    : [invalid('spec.capacity[storage]', storage, 'must be greater than zero')];
}

function validateSource(spec: JsonObject): FieldError[] {
  const [first, ...more] = sourcesOf(spec);
  if (first === undefined) return [required('spec', 'must specify a volume type')];
  return more.map((key) => forbidden(`spec.${key}`, 'may not specify more than 1 volume type'));
}

function validateUpdate(volume: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const sources = (one: KubeObject): JsonObject =>
    Object.fromEntries(Object.entries(objectAt(one, 'spec')).filter(([key]) => !COMMON.has(key)));
  if (!sameJson(sources(volume), sources(old)))
    errors.push(forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'));
  const [before, after] = [textAt(old, 'spec', 'volumeMode'), textAt(volume, 'spec', 'volumeMode')];
  if (before !== after) errors.push(invalid('spec.volumeMode', after, 'field is immutable'));
  return errors;
}
