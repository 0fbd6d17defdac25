/** Who manages what after an update: a writer owns what it changes, and what it removes is owned by nobody. */
import { type Comparison, compare } from '#serve/api/apply/compare.ts';
import { difference, type FieldSet, NOTHING, sameSet, setOfPaths, union, without } from '#serve/api/apply/field-set.ts';
import { isReset, type Managed, managedOf, sameWriter, setManaged, type Writer } from '#serve/api/apply/managed.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';
import type { Structure } from '#spec/kinds/schema/structure.ts';

/** Places that nobody manages: names, and what the server decides. */
const SERVERS = setOfPaths(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((key) => ['f:metadata', `f:${key}`]),
);
const STATUS = setOfPaths(['f:status']);

/** What of a set a writer can own: the object's own writers not its status, writers of the status nothing else of substance. */
export function ownable(set: FieldSet, subresource: string): FieldSet {
  if (subresource !== 'status') return difference(without(set, STATUS), SERVERS);
  const others = [...set.below.keys()].filter((element) => element !== 'f:status' && element !== 'f:metadata');
  const labels = ['f:metadata', 'f:labels'];
  return difference(without(set, setOfPaths(...others.map((element) => [element]), labels)), SERVERS);
}

export interface TrackOptions {
  readonly writer: Writer;
  readonly structure: Structure;
  /** RFC 3339. */
  readonly time: string;
}

/**
 * Writes the managers into an object that is about to be stored.
 * @param old what it replaces, undefined for a new one. One that has no managers gets none by an update.
 */
export function trackUpdate(object: KubeObject, old: KubeObject | undefined, options: TrackOptions): void {
  const before = isReset(object) ? [] : startingPoint(object, old);
  if (old !== undefined && before.length === 0) {
    delete object.metadata.managedFields;
    return;
  }
  const changes = compare(bare(old), bare(object), options.structure);
  setManaged(object, managersAfter(before, changes, options));
}

/** What the client sends counts, if it can be read: managers can be given away. */
function startingPoint(object: KubeObject, old: KubeObject | undefined): Managed[] {
  const sent = managedOf(object);
  return sent !== undefined && sent.length > 0 ? sent : (managedOf(old) ?? []);
}

/** The object without the entries themselves, which nobody manages. */
export function bare(object: KubeObject | undefined): KubeObject {
  if (object === undefined) return { apiVersion: '', kind: '', metadata: { name: '' } };
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, name: object.metadata.name } };
}

function managersAfter(before: readonly Managed[], changes: Comparison, { writer, time }: TrackOptions): Managed[] {
  const written = union(changes.added, changes.modified);
  const others = before
    .filter((one) => !sameWriter(one.writer, writer))
    .map((one) => ({ ...one, fields: difference(one.fields, union(written, changes.removed)) }));
  const mine = before.find((one) => sameWriter(one.writer, writer));
  const fields = union(difference(mine?.fields ?? NOTHING, changes.removed), ownable(written, writer.subresource));
  const same = mine !== undefined && sameSet(mine.fields, fields);
  return [...others, { writer, fields, time: same ? mine.time : time }];
}
