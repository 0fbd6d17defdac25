/** CSINode and CSIDriver: what drivers of storage say of themselves, kept for those who bring one. */
import { CSI_DRIVER_COLUMNS, CSI_NODE_COLUMNS } from '#spec/kinds/columns/storage.ts';
import { ensureObject, objectsAt, setDefault, textAt } from '#spec/kinds/json.ts';
import { duplicate, type FieldError, type Kind, type KubeObject, required } from '#spec/kinds/kind.ts';

const STORAGE = { group: 'storage.k8s.io', version: 'v1', namespaced: false, names: 'subdomain' } as const;

export const CSI_NODE: Kind = {
  ...STORAGE,
  kind: 'CSINode',
  plural: 'csinodes',
  singular: 'csinode',
  type: 'V1CSINode',
  columns: CSI_NODE_COLUMNS,
  defaults: (one) => {
    const spec = ensureObject(one, 'spec');
    // A node without drivers says so with an empty list.
    if (spec.drivers === undefined) spec.drivers = [];
  },
  validate: validateDrivers,
};

function validateDrivers(one: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, driver] of objectsAt(one, 'spec', 'drivers').entries()) {
    const path = `spec.drivers[${index}]`;
    const name = textAt(driver, 'name');
    for (const key of ['name', 'nodeID']) if (textAt(driver, key) === '') errors.push(required(`${path}.${key}`));
    if (seen.has(name)) errors.push(duplicate(`${path}.name`, name));
    seen.add(name);
  }
  return errors;
}

export const CSI_DRIVER: Kind = {
  ...STORAGE,
  kind: 'CSIDriver',
  plural: 'csidrivers',
  singular: 'csidriver',
  type: 'V1CSIDriver',
  columns: CSI_DRIVER_COLUMNS,
  defaults: (one) => {
    const spec = ensureObject(one, 'spec');
    setDefault(spec, 'attachRequired', true);
    for (const key of ['podInfoOnMount', 'storageCapacity', 'requiresRepublish', 'seLinuxMount'])
      setDefault(spec, key, false);
    setDefault(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType');
    setDefault(spec, 'volumeLifecycleModes', ['Persistent']);
  },
};
