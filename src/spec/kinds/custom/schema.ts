/**
 * Structural schemas of CustomResourceDefinitions (Kubernetes "Extend the Kubernetes API with CustomResourceDefinitions"
 * §Specifying a structural schema): read as JSON, walked together with values.
 */
import { at, isObject, type Json, type JsonObject, objectAt, textAt, textsAt } from '#spec/kinds/json.ts';

/** A node of a schema; `{}` where there is none. */
export type Schema = JsonObject;

export function propertiesOf(schema: Schema): Readonly<Record<string, Json>> {
  return objectAt(schema, 'properties');
}

/** The schema of one key of an object; undefined when no schema says anything of it. */
export function propertySchema(schema: Schema, key: string): Schema | undefined {
  const properties = propertiesOf(schema);
  const own = Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (isObject(own)) return own;
  const rest = schema.additionalProperties;
  return isObject(rest) ? rest : rest === true ? {} : undefined;
}

/** The schema of the items of a list. */
export function itemSchema(schema: Schema): Schema {
  return objectAt(schema, 'items');
}

export function preservesUnknown(schema: Schema): boolean {
  return schema['x-kubernetes-preserve-unknown-fields'] === true;
}

export function isIntOrString(schema: Schema): boolean {
  return schema['x-kubernetes-int-or-string'] === true || textAt(schema, 'format') === 'int-or-string';
}

/** A whole object of some kind, with its own apiVersion, kind and metadata. */
export function isEmbedded(schema: Schema): boolean {
  return schema['x-kubernetes-embedded-resource'] === true;
}

export function listType(schema: Schema): 'atomic' | 'set' | 'map' {
  const type = textAt(schema, 'x-kubernetes-list-type');
  return type === 'set' || type === 'map' ? type : 'atomic';
}

export function listKeys(schema: Schema): string[] {
  return textsAt(schema, 'x-kubernetes-list-map-keys');
}

/** `spec.replicas` of `spec` and `replicas`; keys that are no names are quoted as Kubernetes does. */
export function childPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** The value that a schema gives a key that is missing. */
export function defaultOf(schema: Schema): Json | undefined {
  return at(schema, 'default');
}
