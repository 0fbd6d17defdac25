/** The kind Node. */
import { NODE_COLUMNS } from '#spec/kinds/columns/node.ts';
import { at, objectAt, sameJson, textAt } from '#spec/kinds/json.ts';
import { type FieldError, forbidden, type Kind, type KubeObject } from '#spec/kinds/kind.ts';

export const NODE: Kind = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  namespaced: false,
  type: 'V1Node',
  names: 'subdomain',
  status: true,
  columns: NODE_COLUMNS,
  fields: {
    'spec.unschedulable': (node) => (objectAt(node, 'spec').unschedulable === true ? 'true' : 'false'),
  },
  defaults: (node) => {
    if (node.spec === undefined) node.spec = {};
  },
  validateUpdate: validateUpdate,
};

/** A node keeps the CIDRs and the provider that it was given once. */
function validateUpdate(node: KubeObject, old: KubeObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const key of ['podCIDR', 'podCIDRs', 'providerID']) {
    const before = at(old, 'spec', key);
    if (before === undefined || (textAt(old, 'spec', key) === '' && !Array.isArray(before))) continue;
    if (!sameJson(before, at(node, 'spec', key))) {
      errors.push(forbidden(`spec.${key}`, 'node updates may not change it once it is set'));
    }
  }
  return errors;
}
