/**
 * Server-side apply (Kubernetes "Server-Side Apply"; KEP-555): the configuration goes into the object, its manager owns
 * what it says, what it no longer says and nobody else owns goes, and what others own and it would change is a conflict.
 */
import { type Comparison, compare, fieldsIn } from '#serve/api/apply/compare.ts';
import {
  difference,
  type FieldSet,
  intersection,
  isEmpty,
  NOTHING,
  pathsOf,
  sameSet,
  union,
} from '#serve/api/apply/field-set.ts';
import { type Managed, managedOf, sameWriter, setManaged, type Writer } from '#serve/api/apply/managed.ts';
import { mergeInto, removeFrom, withNamedFields } from '#serve/api/apply/merge.ts';
import { bare, ownable, type TrackOptions } from '#serve/api/apply/track.ts';
import { isObject, type Json } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';
import { isKubeObject } from '#spec/kinds/meta.ts';
import type { Structure } from '#spec/kinds/schema/structure.ts';

/** Owns what an object had before anybody kept books about it. */
const BEFORE_FIRST_APPLY = 'before-first-apply';

export interface Conflict {
  readonly writer: Writer;
  readonly path: readonly string[];
}

export type Applied =
  | { readonly is: 'applied'; readonly object: KubeObject }
  | { readonly is: 'conflict'; readonly conflicts: readonly Conflict[] };

export interface ApplyOptions extends TrackOptions {
  /** Takes what others own. */
  readonly force: boolean;
  /** Places that may be taken from others although it is not forced. */
  readonly takeable?: FieldSet;
}

/** The object that applying a configuration makes; neither argument is changed. */
export function applyConfiguration(live: KubeObject | undefined, config: KubeObject, options: ApplyOptions): Applied {
  const { structure, writer } = options;
  const before = managersBefore(live, options);
  const said = fieldsIn(config, structure);
  const last = before.find((one) => sameWriter(one.writer, writer))?.fields ?? NOTHING;
  const others = before.filter((one) => !sameWriter(one.writer, writer));
  const kept = others.reduce((all, one) => union(all, one.fields), said);
  const old = bare(live);
  const start = live === undefined ? config : old;
  const object = asObject(prune(mergeInto(start, config, structure), last, kept, structure));
  const changes = compare(live === undefined ? bare(undefined) : old, object, structure);
  const written = union(changes.added, changes.modified);
  const conflicts = conflictsOf(others, difference(written, options.takeable ?? NOTHING));
  if (conflicts.length > 0 && !options.force) return { is: 'conflict', conflicts };
  setManaged(object, [...after(others, changes), mine(before, ownable(said, writer.subresource), changes, options)]);
  return { is: 'applied', object };
}

function managersBefore(live: KubeObject | undefined, { structure, writer, time }: ApplyOptions): Managed[] {
  const managed = managedOf(live) ?? [];
  if (live === undefined || managed.length > 0) return managed;
  const first: Writer = { ...writer, manager: BEFORE_FIRST_APPLY, operation: 'Update' };
  return [{ writer: first, time, fields: ownable(fieldsIn(bare(live), structure), writer.subresource) }];
}

/** Takes out what the manager no longer says, unless somebody owns it. */
function prune(merged: Json, last: FieldSet, kept: FieldSet, structure: Structure): Json {
  const gone = difference(withNamedFields(last, structure), withNamedFields(kept, structure));
  return removeFrom(merged, gone, structure);
}

function asObject(value: Json): KubeObject {
  if (isObject(value) && isKubeObject(value)) return { ...value, metadata: { ...value.metadata } };
  throw new TypeError('Cannot apply: the configuration has no metadata');
}

function conflictsOf(others: readonly Managed[], written: FieldSet): Conflict[] {
  return others.flatMap(({ writer, fields }) =>
    [...pathsOf(intersection(fields, written))].map((path) => ({ writer, path })),
  );
}

function after(others: readonly Managed[], changes: Comparison): Managed[] {
  const lost = union(union(changes.added, changes.modified), changes.removed);
  return others.map((one) => ({ ...one, fields: difference(one.fields, lost) }));
}

function mine(before: readonly Managed[], fields: FieldSet, changes: Comparison, options: ApplyOptions): Managed {
  const { writer, time } = options;
  const known = before.find((one) => sameWriter(one.writer, writer));
  const nothing = Object.values(changes).every(isEmpty) && known !== undefined && sameSet(known.fields, fields);
  return { writer, fields, time: nothing ? known.time : time };
}
