/** OpenAPI schemas of the types that are served, from the field tables and the table of merge keys. */
import { customSchema, customSchemaName } from '#serve/api/discovery/custom-schema.ts';
import { textsOf } from '#serve/api/discovery/descriptions.ts';
import { type Json, type JsonObject, listAt, objectAt } from '#spec/kinds/json.ts';
import type { Kind } from '#spec/kinds/kind.ts';
import { type Field, fieldsOf, type Scalar, type Shape, shortTypeName } from '#spec/kinds/schema/fields.ts';
import { mergeRuleOf } from '#spec/kinds/schema/merge-keys.ts';

/** How one version of OpenAPI refers to a schema. */
export type Refer = (name: string) => JsonObject;

const GVK = 'x-kubernetes-group-version-kind';

/** What differs between versions of OpenAPI. */
export interface Dialect {
  readonly refer: Refer;
  /** OpenAPI 2 has fewer words. */
  readonly plain: boolean;
}

const META = 'V1ObjectMeta';

const SCALARS: Readonly<Record<Scalar, JsonObject>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  number: { type: 'number', format: 'double' },
  // Without any word kubectl takes it for no schema at all.
  any: { description: 'Any JSON value.' },
  date: { type: 'string', format: 'date-time' },
  'micro-date': { type: 'string', format: 'date-time' },
  quantity: { type: 'string' },
  bytes: { type: 'string', format: 'byte' },
  'int-or-string': { type: 'string', format: 'int-or-string' },
  'uint32-or-string': { type: 'string', format: 'int-or-string' },
  'int32-or-null': { type: 'integer', format: 'int32' },
};

const NUMBERS_AND_NULLS: JsonObject = { description: 'A list of numbers and nulls.' };

/**
 * `V1PodSpec` -> `io.k8s.api.v1.PodSpec`, `EventsV1Event` -> `io.k8s.api.events.v1.Event`: what stands behind the last dot
 * is what `kubectl explain` shows.
 */
export function schemaName(type: string): string {
  const [, group = '', version = 'any'] = /^([A-Z][A-Za-z]*?)?(V\d+(?:(?:alpha|beta)\d+)?)(?=[A-Z])/.exec(type) ?? [];
  const prefix = group === '' ? '' : `${group.toLowerCase()}.`;
  return `io.k8s.api.${prefix}${version.toLowerCase()}.${shortTypeName(type)}`;
}

/** The name of a kind's schema. */
export function kindSchemaName(kind: Kind): string {
  return kind.schema === undefined ? schemaName(kind.type) : customSchemaName(kind);
}

/** The schemas of all types that these kinds reach, by name. */
export function schemasOf(kinds: readonly Kind[], { refer, plain }: Dialect): JsonObject {
  const schemas: JsonObject = {};
  const roots = kinds.map((kind) => (kind.schema === undefined ? kind.type : META));
  for (const type of reachable(roots)) schemas[schemaName(type)] = typeSchema(type, refer);
  for (const row of kinds) {
    const { group, version, kind } = row;
    const name = kindSchemaName(row);
    const schema =
      row.schema === undefined ? objectAt(schemas, name) : customSchema(row.schema, refer(schemaName(META)), plain);
    // One type may be served in two groups.
    schema[GVK] = [...listAt(schema, GVK), { group, version, kind }];
    schemas[name] = schema;
  }
  return schemas;
}

function reachable(roots: readonly string[]): Set<string> {
  const found = new Set<string>();
  const open = [...roots];
  for (let type = open.pop(); type !== undefined; type = open.pop()) {
    if (found.has(type)) continue;
    found.add(type);
    for (const field of fieldsOf(type)?.values() ?? []) {
      const inner = typeIn(field.shape);
      if (inner !== undefined) open.push(inner);
    }
  }
  return found;
}

function typeIn(shape: Shape): string | undefined {
  if (shape.is === 'type') return shape.name;
  return shape.is === 'scalar' ? undefined : typeIn(shape.of);
}

function typeSchema(type: string, refer: Refer): JsonObject {
  const properties: JsonObject = {};
  const required: Json[] = [];
  for (const field of fieldsOf(type)?.values() ?? []) {
    const said = described(fieldText(type, field));
    properties[field.name] = { ...shapeSchema(field.shape, refer), ...mergeExtensions(type, field.name), ...said };
    if (field.required) required.push(field.name);
  }
  const whole = { ...described(textsOf(type)['']), type: 'object', properties };
  return required.length === 0 ? whole : { ...whole, required };
}

/** Of a field that is itself of a type Kubernetes' published types say nothing; then the type's own text stands for it. */
function fieldText(type: string, { name, shape }: Field): string | undefined {
  if (shape.is !== 'type') return textsOf(type)[name];
  if (shape.name === META) return "Standard object's metadata.";
  if (shape.name === `${type}Spec`) return `Specification of the desired behavior of the ${shortTypeName(type)}.`;
  if (shape.name === `${type}Status`) return `Most recently observed status of the ${shortTypeName(type)}.`;
  return textsOf(type)[name] ?? textsOf(shape.name)[''];
}

function described(text: string | undefined): JsonObject {
  return text === undefined ? {} : { description: text };
}

function shapeSchema(shape: Shape, refer: Refer): JsonObject {
  switch (shape.is) {
    case 'scalar':
      return SCALARS[shape.word];
    case 'type':
      return refer(schemaName(shape.name));
    case 'list':
      // Of a list that is said to be one, kubectl up to 1.24 takes no null, whatever its items may be.
      if (shape.of.is === 'scalar' && shape.of.word === 'int32-or-null') return NUMBERS_AND_NULLS;
      return { type: 'array', items: shapeSchema(shape.of, refer) };
    case 'map':
      return { type: 'object', additionalProperties: shapeSchema(shape.of, refer) };
  }
}

function mergeExtensions(type: string, field: string): JsonObject {
  const rule = mergeRuleOf(type, field);
  if (rule === undefined) return {};
  const strategy = rule.retainKeys === true ? 'merge,retainKeys' : 'merge';
  if (rule.key === undefined) return { 'x-kubernetes-patch-strategy': strategy };
  return { 'x-kubernetes-patch-merge-key': rule.key, 'x-kubernetes-patch-strategy': strategy };
}
