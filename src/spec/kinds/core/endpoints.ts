/** The kind Endpoints: the addresses behind a Service, all in one object. */
import { ENDPOINTS_COLUMNS } from '#spec/kinds/columns/network.ts';
import { objectsAt, setDefault } from '#spec/kinds/json.ts';
import type { Kind } from '#spec/kinds/kind.ts';

export const ENDPOINTS: Kind = {
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  namespaced: true,
  type: 'V1Endpoints',
  names: 'subdomain',
  columns: ENDPOINTS_COLUMNS,
  defaults: (object) => {
    for (const subset of objectsAt(object, 'subsets')) {
      for (const port of objectsAt(subset, 'ports')) setDefault(port, 'protocol', 'TCP');
    }
  },
};
