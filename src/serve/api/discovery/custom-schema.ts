/** OpenAPI schemas of kinds that CustomResourceDefinitions define. */
import { isIntOrString, preservesUnknown, type Schema } from '#spec/kinds/custom/schema.ts';
import { isObject, type Json, type JsonObject, objectAt } from '#spec/kinds/json.ts';
import type { Kind } from '#spec/kinds/kind.ts';

/** What every object has. */
const API_VERSION: JsonObject = {
  type: 'string',
  description: 'Version of the schema that this object is written in.',
};
const KIND: JsonObject = { type: 'string', description: 'Kind of resource that this object is one of.' };
const METADATA: JsonObject = { description: "Standard object's metadata." };

/** `com.example.stable.v1.CronTab` */
export function customSchemaName({ group, version, kind }: Kind): string {
  return [...group.split('.').reverse(), version, kind].join('.');
}

/**
 * The schema of a defined kind with what every object has.
 * @param metadata schema of `metadata`
 * @param plain whether it must be said in the words of OpenAPI 2
 */
export function customSchema(schema: Schema, metadata: JsonObject, plain: boolean): JsonObject {
  const own = plain ? withoutNewer(schema) : schema;
  const common = { apiVersion: API_VERSION, kind: KIND };
  const properties = { ...common, ...objectAt(own, 'properties'), metadata: { ...metadata, ...METADATA } };
  return { ...own, type: 'object', properties };
}

/** Words that OpenAPI 2 has not; what they restrict is left open. */
const NEWER = new Set(['allOf', 'anyOf', 'default', 'not', 'nullable', 'oneOf', 'x-kubernetes-validations']);

function withoutNewer(schema: Schema): JsonObject {
  const { description } = schema;
  const said: JsonObject = description === undefined ? {} : { description };
  if (isIntOrString(schema) || schema.nullable === true) return said;
  const open = preservesUnknown(schema);
  for (const [key, value] of Object.entries(schema)) {
    if (NEWER.has(key) || (open && (key === 'properties' || key === 'type'))) continue;
    said[key] = key === 'properties' ? propertiesWithout(value) : isSchemaKey(key) ? schemaWithout(value) : value;
  }
  return said;
}

function isSchemaKey(key: string): boolean {
  return key === 'items' || key === 'additionalProperties';
}

function schemaWithout(value: Json): Json {
  return isObject(value) ? withoutNewer(value) : value;
}

function propertiesWithout(value: Json): Json {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, schemaWithout(one)]));
}
