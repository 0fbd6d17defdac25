/** Values of JSON as CEL sees them, by their schema (Kubernetes "CustomResourceDefinitions" §Validation rules, "Type system"). */
import { isIntOrString, itemSchema, propertiesOf, propertySchema, type Schema } from '#spec/kinds/custom/schema.ts';
import { isObject, type Json, textAt } from '#spec/kinds/json.ts';

/** Words of the language; fields of these names are escaped, as are signs that cannot stand in a name. */
const WORDS = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const SIGNS: Readonly<Record<string, string>> = {
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
  __: '__underscores__',
};

/** The name by which an expression reaches a field. */
export function celName(field: string): string {
  if (WORDS.has(field)) return `__${field}__`;
  return field.replace(/__|[.\-/]/g, (sign) => SIGNS[sign] ?? sign);
}

/** Whole numbers become bigint, times become Date, fields get the names that expressions call them by. */
export function celValue(value: Json, schema: Schema): unknown {
  if (Array.isArray(value)) return value.map((item) => celValue(item, itemSchema(schema)));
  if (isObject(value)) {
    const fields = propertiesOf(schema);
    const entries = Object.entries(value).map(([key, inner]) => {
      const name = Object.hasOwn(fields, key) ? celName(key) : key;
      return [name, celValue(inner, propertySchema(schema, key) ?? {})] as const;
    });
    return Object.fromEntries(entries);
  }
  if (typeof value === 'number') return isWhole(value, schema) ? BigInt(value) : value;
  return typeof value === 'string' ? celText(value, schema) : value;
}

function isWhole(value: number, schema: Schema): boolean {
  return Number.isSafeInteger(value) && (textAt(schema, 'type') !== 'number' || isIntOrString(schema));
}

function celText(text: string, schema: Schema): unknown {
  switch (textAt(schema, 'format')) {
    case 'date':
    case 'date-time': {
      const time = new Date(text);
      return Number.isNaN(time.getTime()) ? text : time;
    }
    case 'byte':
      return new Uint8Array(Buffer.from(text, 'base64'));
    default:
      return text;
  }
}
