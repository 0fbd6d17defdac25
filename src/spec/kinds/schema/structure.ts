/**
 * How the parts of a value are told apart when several managers write them (Kubernetes "Server-Side Apply" §Merge
 * strategy): which are owned one by one, and which only as a whole.
 */
import {
  defaultOf,
  isIntOrString,
  itemSchema,
  listKeys,
  listType,
  preservesUnknown,
  propertiesOf,
  propertySchema,
  type Schema,
} from '#spec/kinds/custom/schema.ts';
import { type JsonObject, objectAt, textAt } from '#spec/kinds/json.ts';
import type { Kind } from '#spec/kinds/kind.ts';
import { fieldsOf, type Shape } from '#spec/kinds/schema/fields.ts';
import { applyRuleOf, isAtomicType } from '#spec/kinds/schema/merge-keys.ts';

export type Structure =
  /** Owned as a whole: scalars, atomic lists and maps. */
  | { readonly is: 'leaf' }
  /** Each key by itself. A value that is no object is owned as a whole. */
  | {
      readonly is: 'map';
      readonly at: (key: string) => Structure /** It is a field of a type, not a key of a map. */;
      readonly named: (key: string) => boolean;
    }
  /** A list whose items are their own names. */
  | { readonly is: 'set' }
  /** A list of objects that some of their fields name. */
  | {
      readonly is: 'keyed';
      readonly keys: readonly string[];
      /** Values of keys that an item leaves out. */
      readonly defaults: JsonObject;
      readonly item: Structure;
    };

export const LEAF: Structure = { is: 'leaf' };

/** What no schema describes: objects by key, all else as a whole. */
export const DEDUCED: Structure = { is: 'map', at: () => DEDUCED, named: () => false };

const known = new Map<string, Structure>();

/** The structure of a type of the field tables. */
export function structureOfType(type: string): Structure {
  const found = known.get(type);
  if (found !== undefined) return found;
  const made: Structure = isAtomicType(type)
    ? LEAF
    : {
        is: 'map',
        at: (key) => {
          const shape = fieldsOf(type)?.get(key)?.shape;
          return shape === undefined ? DEDUCED : structureOfField(type, key, shape);
        },
        named: (key) => fieldsOf(type)?.has(key) === true,
      };
  known.set(type, made);
  return made;
}

function structureOfField(type: string, field: string, shape: Shape): Structure {
  switch (shape.is) {
    case 'scalar':
      return shape.word === 'any' ? DEDUCED : LEAF;
    case 'type':
      return structureOfType(shape.name);
    case 'map': {
      if (applyRuleOf(type, field)?.is === 'atomic') return LEAF;
      const item = structureOfField('', '', shape.of);
      return { is: 'map', at: () => item, named: () => false };
    }
    case 'list':
      return structureOfList(type, field, shape.of);
  }
}

function structureOfList(type: string, field: string, of: Shape): Structure {
  const rule = applyRuleOf(type, field);
  if (rule === undefined || rule.is === 'atomic') return LEAF;
  if (rule.is === 'set') return { is: 'set' };
  return { is: 'keyed', keys: rule.keys, defaults: rule.defaults, item: structureOfField('', '', of) };
}

/** The structure of a kind's objects. */
export function structureOf(kind: Pick<Kind, 'type' | 'schema'>): Structure {
  return kind.schema === undefined ? structureOfType(kind.type) : structureOfObject(kind.schema);
}

const META = 'V1ObjectMeta';
const bySchema = new WeakMap<Schema, Structure>();

/** Objects of a defined kind: what every object has, and what the schema says. */
function structureOfObject(schema: Schema): Structure {
  const inner = structureOfSchema(schema);
  if (inner.is !== 'map') return inner;
  return {
    is: 'map',
    at: (key) => (key === 'metadata' ? structureOfType(META) : inner.at(key)),
    named: (key) => key === 'metadata' || inner.named(key),
  };
}

function structureOfSchema(schema: Schema): Structure {
  const found = bySchema.get(schema);
  if (found !== undefined) return found;
  const made = readSchema(schema);
  bySchema.set(schema, made);
  return made;
}

function readSchema(schema: Schema): Structure {
  if (schema['x-kubernetes-map-type'] === 'atomic' || isIntOrString(schema)) return LEAF;
  if (textAt(schema, 'type') === 'array') return structureOfItems(schema);
  const isMap = textAt(schema, 'type') === 'object' || preservesUnknown(schema);
  if (!isMap) return LEAF;
  const properties = propertiesOf(schema);
  return {
    is: 'map',
    at: (key) => {
      const inner = propertySchema(schema, key);
      return inner === undefined ? DEDUCED : structureOfSchema(inner);
    },
    named: (key) => Object.hasOwn(properties, key),
  };
}

function structureOfItems(schema: Schema): Structure {
  const items = itemSchema(schema);
  switch (listType(schema)) {
    case 'atomic':
      return LEAF;
    case 'set':
      return { is: 'set' };
    case 'map': {
      const keys = listKeys(schema);
      const presets = keys.map((key) => [key, defaultOf(objectAt(items, 'properties', key))] as const);
      const defaults: JsonObject = {};
      for (const [key, value] of presets) if (value !== undefined) defaults[key] = value;
      return { is: 'keyed', keys, defaults, item: structureOfSchema(items) };
    }
  }
}
