/** The kind Event of the group events.k8s.io: the same events as those of the core group, in newer words. */
import { EVENT_COLUMNS } from '#spec/kinds/columns/event.ts';
import { EVENT } from '#spec/kinds/core/event.ts';
import { textAt } from '#spec/kinds/json.ts';
import { invalid, type Kind, type KubeObject, required } from '#spec/kinds/kind.ts';

/** Fields of events.k8s.io -> their names in the core group; all others are called the same. */
const NAMES: Readonly<Record<string, string>> = {
  regarding: 'involvedObject',
  note: 'message',
  reportingController: 'reportingComponent',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
};
const BACK: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(NAMES).map(([key, name]) => [name, key]),
);

function renamed(object: KubeObject, names: Readonly<Record<string, string>>, apiVersion: string): KubeObject {
  const result: KubeObject = { apiVersion, kind: 'Event', metadata: object.metadata };
  for (const [key, value] of Object.entries(object)) if (!(key in result)) result[names[key] ?? key] = value;
  return result;
}

const REGARDING = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

export const EVENTS_EVENT: Kind = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  namespaced: true,
  type: 'EventsV1Event',
  names: 'subdomain',
  // Columns read the stored form.
  columns: EVENT_COLUMNS.map((column) => ({ ...column, cell: (object, now) => column.cell(toStored(object), now) })),
  storedAs: {
    kind: EVENT,
    fromStored: (object) => renamed(object, BACK, 'events.k8s.io/v1'),
    toStored,
    fields: {
      ...Object.fromEntries(REGARDING.map((key) => [`regarding.${key}`, `involvedObject.${key}`])),
      reason: 'reason',
      reportingController: 'reportingComponent',
      type: 'type',
    },
  },
  validate: (event) => {
    const [namespace, own] = [textAt(event, 'regarding', 'namespace'), textAt(event, 'metadata', 'namespace')];
    const errors = ['reason', 'type', 'action', 'reportingController']
      .filter((key) => textAt(event, key) === '')
      .map((key) => required(key));
    if (namespace !== own && !(namespace === '' && (own === 'default' || own === 'kube-system'))) {
      errors.push(invalid('regarding.namespace', namespace, 'does not match event.namespace'));
    }
    return errors;
  },
};

function toStored(object: KubeObject): KubeObject {
  return renamed(object, NAMES, 'v1');
}
