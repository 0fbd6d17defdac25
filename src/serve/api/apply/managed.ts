/** `metadata.managedFields`: who manages which places of an object (KEP-555). */
import { type FieldSet, fromFieldsV1, isEmpty, NOTHING, toFieldsV1, union } from '#serve/api/apply/field-set.ts';
import { isObject, type JsonObject, listAt, textAt } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';

/** Who writes: managers are told apart by all of it. */
export interface Writer {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** '' for the object itself. */
  readonly subresource: string;
}

export interface Managed {
  readonly writer: Writer;
  /** RFC 3339; '' if nobody knows. */
  readonly time: string;
  readonly fields: FieldSet;
}

/** The entries of an object; undefined when they cannot be read. An entry without an operation resets them all. */
export function managedOf(object: KubeObject | undefined): Managed[] | undefined {
  try {
    return listAt(object, 'metadata', 'managedFields').filter(isObject).map(readEntry);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readEntry(entry: JsonObject): Managed {
  const operation = textAt(entry, 'operation');
  if (operation !== 'Apply' && operation !== 'Update')
    throw new SyntaxError(`Cannot read managedFields: operation ${JSON.stringify(operation)}`);
  const writer: Writer = {
    manager: textAt(entry, 'manager'),
    operation,
    apiVersion: textAt(entry, 'apiVersion'),
    subresource: textAt(entry, 'subresource'),
  };
  return { writer, time: textAt(entry, 'time'), fields: fromFieldsV1(entry.fieldsV1) };
}

/** Whether a client asks to forget all managers: `managedFields: [{}]`. */
export function isReset(object: KubeObject): boolean {
  const entries = listAt(object, 'metadata', 'managedFields');
  return entries.length === 1 && isObject(entries[0]) && Object.keys(entries[0]).length === 0;
}

/** Updaters that are remembered by name; the oldest beyond them become one. */
const UPDATERS = 10;
const ANCIENT = 'ancient-changes';

/** Writes the entries, those without fields left out. */
export function setManaged(object: KubeObject, managed: readonly Managed[]): void {
  const entries = capped(managed.filter((one) => !isEmpty(one.fields)));
  if (entries.length === 0) delete object.metadata.managedFields;
  else object.metadata.managedFields = entries.sort(inOrder).map(writeEntry);
}

function capped(managed: readonly Managed[]): Managed[] {
  const updates = managed.filter(({ writer }) => writer.operation === 'Update' && writer.subresource === '');
  if (updates.length <= UPDATERS) return [...managed];
  const byAge = updates.toSorted((a, b) => (a.time < b.time ? -1 : 1));
  const old = byAge.slice(0, updates.length - UPDATERS + 1);
  const [newest = byAge[0]] = old.slice(-1);
  if (newest === undefined) return [...managed];
  const fields = old.reduce<FieldSet>((all, one) => union(all, one.fields), NOTHING);
  const ancient = { writer: { ...newest.writer, manager: ANCIENT }, time: newest.time, fields };
  return [...managed.filter((one) => !old.includes(one)), ancient];
}

function inOrder(a: Managed, b: Managed): number {
  const key = ({ writer, time }: Managed): string =>
    [writer.operation, time, writer.manager, writer.apiVersion, writer.subresource].join('\0');
  return key(a) < key(b) ? -1 : 1;
}

function writeEntry({ writer, time, fields }: Managed): JsonObject {
  const entry: JsonObject = {
    manager: writer.manager,
    operation: writer.operation,
    apiVersion: writer.apiVersion,
  };
  if (time !== '') entry.time = time;
  entry.fieldsType = 'FieldsV1';
  entry.fieldsV1 = toFieldsV1(fields);
  if (writer.subresource !== '') entry.subresource = writer.subresource;
  return entry;
}

export function sameWriter(a: Writer, b: Writer): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.apiVersion === b.apiVersion &&
    a.subresource === b.subresource
  );
}
