/** JSON as values, and readers that walk it without ever throwing: Kubernetes objects come from outside. */

export type Json = string | number | boolean | null | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path of keys; undefined where anything on the way is missing or not an object. */
export function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let here: Json | undefined = value;
  for (const key of path) {
    if (!isObject(here)) return undefined;
    here = Object.hasOwn(here, key) ? here[key] : undefined;
  }
  return here;
}

/** The text at a path, '' if there is none. */
export function textAt(value: Json | undefined, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : '';
}

export function numberAt(value: Json | undefined, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : undefined;
}

export function objectAt(value: Json | undefined, ...path: readonly string[]): JsonObject {
  const found = at(value, ...path);
  return isObject(found) ? found : {};
}

/** The list at a path, empty if there is none. */
export function listAt(value: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The objects of the list at a path. */
export function objectsAt(value: Json | undefined, ...path: readonly string[]): JsonObject[] {
  return listAt(value, ...path).filter(isObject);
}

/** The texts of the list at a path. */
export function textsAt(value: Json | undefined, ...path: readonly string[]): string[] {
  return listAt(value, ...path).filter((item) => typeof item === 'string');
}

/** The object at a key, made if it is missing: for defaulting. */
export function ensureObject(value: JsonObject, key: string): JsonObject {
  const found = value[key];
  if (isObject(found)) return found;
  const made: JsonObject = {};
  value[key] = made;
  return made;
}

/** Sets a key that has no value yet. */
export function setDefault(value: JsonObject, key: string, json: Json): void {
  if (value[key] === undefined) value[key] = json;
}

/** Equality of values; the order of an object's keys does not count. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}

export function copyJson<T extends Json>(value: T): T {
  return structuredClone(value);
}
