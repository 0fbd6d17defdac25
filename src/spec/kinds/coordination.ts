/** Kinds of the group coordination.k8s.io. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { numberAt, textAt } from '#spec/kinds/json.ts';
import { invalid, type Kind } from '#spec/kinds/kind.ts';

export const LEASE: Kind = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  singular: 'lease',
  namespaced: true,
  type: 'V1Lease',
  names: 'subdomain',
  columns: [NAME, column('Holder', 'Who holds it.', (object) => textAt(object, 'spec', 'holderIdentity')), AGE],
  validate: (object) => {
    const seconds = numberAt(object, 'spec', 'leaseDurationSeconds');
    return seconds !== undefined && seconds <= 0
      ? [invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0')]
      : [];
  },
};
