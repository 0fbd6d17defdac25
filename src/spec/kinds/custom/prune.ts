/** What a schema does not know goes (Kubernetes "CustomResourceDefinitions" §Field pruning). */
import {
  childPath,
  defaultOf,
  isEmbedded,
  itemSchema,
  preservesUnknown,
  propertySchema,
  type Schema,
} from '#spec/kinds/custom/schema.ts';
import { isObject, type Json, type JsonObject } from '#spec/kinds/json.ts';
import { decodeObject } from '#spec/kinds/schema/decode.ts';

const OF_EVERY_OBJECT = ['apiVersion', 'kind', 'metadata'];

/**
 * Checks `metadata` of an object of a defined kind and drops what its schema does not know, in place.
 * @returns the paths of unknown fields
 * @throws ShapeError when metadata has not the shape that it has everywhere
 */
export function pruneObject(object: JsonObject, schema: Schema): string[] {
  const { apiVersion, kind, metadata, ...rest } = object;
  const common: JsonObject = {};
  for (const [key, value] of Object.entries({ apiVersion, kind, metadata }))
    if (value !== undefined) common[key] = value;
  const unknown = decodeObject(common, 'ObjectOfAnyKind');
  pruneMap(rest, schema, '', unknown);
  for (const key of Object.keys(object)) delete object[key];
  Object.assign(object, common, rest);
  return unknown;
}

function pruneValue(value: Json, schema: Schema, path: string, unknown: string[]): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) pruneValue(item, itemSchema(schema), `${path}[${index}]`, unknown);
  } else if (isObject(value)) pruneMap(value, schema, path, unknown);
}

function pruneMap(value: JsonObject, schema: Schema, path: string, unknown: string[]): void {
  for (const [key, inner] of Object.entries(value)) {
    const here = childPath(path, key);
    if (isEmbedded(schema) && OF_EVERY_OBJECT.includes(key)) continue;
    const known = propertySchema(schema, key);
    if (known === undefined) {
      if (preservesUnknown(schema)) continue;
      unknown.push(here);
      delete value[key];
    } else if (inner === null && known.nullable !== true) {
      // What may not be null is not there, and gets its default.
      if (defaultOf(known) !== undefined) delete value[key];
    } else pruneValue(inner, known, here, unknown);
  }
}
