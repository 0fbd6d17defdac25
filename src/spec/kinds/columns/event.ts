/** What `kubectl get events` prints. */
import { ageOf } from '#spec/kinds/age.ts';
import { column, NAME } from '#spec/kinds/columns/common.ts';
import { numberAt, textAt } from '#spec/kinds/json.ts';
import type { Column, KubeObject } from '#spec/kinds/kind.ts';

export const EVENT_COLUMNS: readonly Column[] = [
  column('Last Seen', 'When it happened last.', lastSeen),
  column('Type', 'Normal or Warning.', (event) => textAt(event, 'type')),
  column('Reason', 'One word for what happened.', (event) => textAt(event, 'reason')),
  column('Object', 'What it happened to.', objectCell),
  column('Subobject', 'The part of it.', (event) => textAt(event, 'involvedObject', 'fieldPath'), { wide: true }),
  column('Source', 'Who says so.', sourceCell, { wide: true }),
  column('Message', 'What happened, in words.', (event) => textAt(event, 'message').trim()),
  column('First Seen', 'When it happened first.', firstSeen, { wide: true }),
  column('Count', 'How often.', countCell, { wide: true }),
  { ...NAME, priority: 1 },
];

function lastSeen(event: KubeObject, now: number): string {
  const series = textAt(event, 'series', 'lastObservedTime');
  const time = series || textAt(event, 'lastTimestamp') || textAt(event, 'eventTime');
  return ageOf(time, now);
}

function firstSeen(event: KubeObject, now: number): string {
  return ageOf(textAt(event, 'firstTimestamp') || textAt(event, 'eventTime'), now);
}

function objectCell(event: KubeObject): string {
  const kind = textAt(event, 'involvedObject', 'kind').toLowerCase();
  const name = textAt(event, 'involvedObject', 'name');
  return name === '' ? kind : `${kind}/${name}`;
}

function sourceCell(event: KubeObject): string {
  const component = textAt(event, 'source', 'component') || textAt(event, 'reportingComponent');
  const host = textAt(event, 'source', 'host') || textAt(event, 'reportingInstance');
  return host === '' ? component : `${component}, ${host}`;
}

function countCell(event: KubeObject): number {
  return numberAt(event, 'series', 'count') ?? numberAt(event, 'count') ?? 1;
}
