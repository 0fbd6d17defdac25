/** The kind StorageClass: kept and checked. */
import { isDefaultClass, STORAGE_CLASS_COLUMNS } from '#spec/kinds/columns/storage.ts';
import { objectAt, sameJson, setDefault, textAt } from '#spec/kinds/json.ts';
import {
  type FieldError,
  forbidden,
  invalid,
  type Kind,
  type KubeObject,
  required,
  unsupported,
} from '#spec/kinds/kind.ts';

const POLICIES = ['Delete', 'Retain'];
const BINDING_MODES = ['Immediate', 'WaitForFirstConsumer'];
/** Index of the server: the class's name if claims without a class get it, else ''. */
export const DEFAULT_CLASS = 'polder.default';

export const STORAGE_CLASS: Kind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  singular: 'storageclass',
  shortNames: ['sc'],
  namespaced: false,
  type: 'V1StorageClass',
  names: 'subdomain',
  columns: STORAGE_CLASS_COLUMNS,
  fields: { [DEFAULT_CLASS]: (one) => (isDefaultClass(one) ? one.metadata.name : '') },
  defaults: (one) => {
    setDefault(one, 'reclaimPolicy', 'Delete');
    setDefault(one, 'volumeBindingMode', 'Immediate');
  },
  validate,
  validateUpdate,
};

function validate(one: KubeObject): FieldError[] {
  const [policy, mode] = [textAt(one, 'reclaimPolicy'), textAt(one, 'volumeBindingMode')];
  const errors = textAt(one, 'provisioner') === '' ? [required('provisioner')] : [];
  if (!POLICIES.includes(policy)) errors.push(unsupported('reclaimPolicy', policy, POLICIES));
  if (!BINDING_MODES.includes(mode)) errors.push(unsupported('volumeBindingMode', mode, BINDING_MODES));
  return errors;
}

function validateUpdate(one: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  if (!sameJson(objectAt(one, 'parameters'), objectAt(old, 'parameters')))
    errors.push(forbidden('parameters', 'updates to parameters are forbidden.'));
  for (const key of ['provisioner', 'reclaimPolicy'])
    if (textAt(one, key) !== textAt(old, key)) errors.push(forbidden(key, `updates to ${key} are forbidden.`));
  const mode = textAt(one, 'volumeBindingMode');
  if (mode !== textAt(old, 'volumeBindingMode')) errors.push(invalid('volumeBindingMode', mode, 'field is immutable'));
  return errors;
}
