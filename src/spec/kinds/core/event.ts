/** The kind Event of the core group. */
import { EVENT_COLUMNS } from '#spec/kinds/columns/event.ts';
import { numberAt, setDefault, textAt } from '#spec/kinds/json.ts';
import { invalid, type Kind, type KubeObject } from '#spec/kinds/kind.ts';

const involved = (key: string) => (event: KubeObject) => textAt(event, 'involvedObject', key);

export const EVENT: Kind = {
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  namespaced: true,
  type: 'CoreV1Event',
  names: 'subdomain',
  columns: EVENT_COLUMNS,
  fields: {
    'involvedObject.kind': involved('kind'),
    'involvedObject.namespace': involved('namespace'),
    'involvedObject.name': involved('name'),
    'involvedObject.uid': involved('uid'),
    'involvedObject.apiVersion': involved('apiVersion'),
    'involvedObject.resourceVersion': involved('resourceVersion'),
    'involvedObject.fieldPath': involved('fieldPath'),
    reason: (event) => textAt(event, 'reason'),
    reportingComponent: (event) => textAt(event, 'reportingComponent') || textAt(event, 'source', 'component'),
    source: (event) => textAt(event, 'source', 'component') || textAt(event, 'reportingComponent'),
    type: (event) => textAt(event, 'type'),
  },
  defaults: (event) => {
    if (numberAt(event, 'count') === undefined && event.series === undefined) event.count = 1;
    setDefault(event, 'type', 'Normal');
  },
  validate: (event) => {
    const namespace = textAt(event, 'involvedObject', 'namespace');
    const own = textAt(event, 'metadata', 'namespace');
    const matches = namespace === own || (namespace === '' && (own === 'default' || own === 'kube-system'));
    return matches ? [] : [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
  },
};
