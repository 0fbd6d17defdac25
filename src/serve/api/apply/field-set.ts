/**
 * Sets of places in an object, as a tree: what a manager owns. Written and read as `fieldsV1` of managedFields
 * (Kubernetes "Server-Side Apply" §Field management; KEP-555): `f:` is a field, `k:` an item of a list by its keys,
 * `v:` an item of a set by its value, `.` the place itself.
 */
import { isObject, type Json, type JsonObject } from '#spec/kinds/json.ts';

export interface FieldSet {
  /** The place itself is in the set. */
  readonly here: boolean;
  /** By path element, for example `f:spec`. */
  readonly below: ReadonlyMap<string, FieldSet>;
}

export const NOTHING: FieldSet = { here: false, below: new Map() };
export const PLACE: FieldSet = { here: true, below: new Map() };

export function isEmpty(set: FieldSet): boolean {
  return !set.here && set.below.size === 0;
}

/** A set of these parts; empty ones are left out. */
export function setOf(here: boolean, parts: Iterable<readonly [string, FieldSet]>): FieldSet {
  const below = new Map<string, FieldSet>();
  for (const [element, set] of parts) if (!isEmpty(set)) below.set(element, set);
  return { here, below };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const below = new Map(a.below);
  for (const [element, set] of b.below) below.set(element, union(below.get(element) ?? NOTHING, set));
  return { here: a.here || b.here, below };
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const parts = a.below
    .entries()
    .map(([element, set]) => [element, intersection(set, b.below.get(element) ?? NOTHING)] as const);
  return setOf(a.here && b.here, parts);
}

/** The places of `a` that are not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a;
  const parts = a.below
    .entries()
    .map(([element, set]) => [element, difference(set, b.below.get(element) ?? NOTHING)] as const);
  return setOf(a.here && !b.here, parts);
}

/** The places of `a` that are neither in `b` nor below a place of it. */
export function without(a: FieldSet, b: FieldSet): FieldSet {
  if (b.here) return NOTHING;
  if (isEmpty(b)) return a;
  return setOf(
    a.here,
    a.below.entries().map(([element, set]) => [element, without(set, b.below.get(element) ?? NOTHING)] as const),
  );
}

export function sameSet(a: FieldSet, b: FieldSet): boolean {
  if (a.here !== b.here || a.below.size !== b.below.size) return false;
  return a.below.entries().every(([element, set]) => {
    const other = b.below.get(element);
    return other !== undefined && sameSet(set, other);
  });
}

/** A set of paths given as elements. */
export function setOfPaths(...paths: readonly (readonly string[])[]): FieldSet {
  return paths.reduce<FieldSet>((all, path) => union(all, pathSet(path)), NOTHING);
}

function pathSet(path: readonly string[]): FieldSet {
  return path.reduceRight<FieldSet>((below, element) => setOf(false, [[element, below]]), PLACE);
}

/** The paths of the set, each as its elements. */
export function* pathsOf(set: FieldSet, before: readonly string[] = []): Generator<readonly string[]> {
  if (set.here) yield before;
  for (const [element, inner] of set.below) yield* pathsOf(inner, [...before, element]);
}

/** `.spec.containers[name="c"].image`: as messages write a path. */
export function pathText(path: readonly string[]): string {
  return path.map(elementText).join('');
}

function elementText(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('v:')) return `[=${rest}]`;
  if (element.startsWith('i:')) return `[${rest}]`;
  const keys: JsonObject = JSON.parse(rest);
  const said = Object.entries(keys).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return `[${said.join(',')}]`;
}

/** As `fieldsV1`. */
export function toFieldsV1(set: FieldSet): JsonObject {
  const fields: JsonObject = {};
  for (const element of [...set.below.keys()].sort()) {
    const inner = set.below.get(element);
    if (inner === undefined) continue;
    const value = toFieldsV1(inner);
    fields[element] = inner.here && inner.below.size > 0 ? { '.': {}, ...value } : value;
  }
  return fields;
}

const ELEMENT = /^(f:.|v:.|i:\d|k:\{)/s;

/** @throws SyntaxError when it is no `fieldsV1` */
export function fromFieldsV1(fields: Json | undefined): FieldSet {
  if (!isObject(fields)) throw new SyntaxError('Cannot read fieldsV1: it must be an object');
  const below = new Map<string, FieldSet>();
  for (const [element, value] of Object.entries(fields)) {
    if (element === '.') continue;
    if (!ELEMENT.test(element))
      throw new SyntaxError(`Cannot read fieldsV1: ${JSON.stringify(element)} is no path element`);
    below.set(canonical(element), fromFieldsV1(value));
  }
  return { here: fields['.'] !== undefined || below.size === 0, below };
}

/** Keys in order and values in one spelling, so that equal elements are equal texts. @throws SyntaxError */
function canonical(element: string): string {
  if (element.startsWith('v:')) return `v:${JSON.stringify(JSON.parse(element.slice(2)))}`;
  if (!element.startsWith('k:')) return element;
  const keys: Json = JSON.parse(element.slice(2));
  return keyElement(isObject(keys) ? keys : {});
}

/** `k:{"name":"c"}` */
export function keyElement(keys: JsonObject): string {
  const entries = Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1));
  return `k:${JSON.stringify(Object.fromEntries(entries))}`;
}
