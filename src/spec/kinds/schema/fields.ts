/** The fields of Kubernetes' types, read from the generated table `fields.json`, and of kinds that others define. */
import table from '#spec/kinds/schema/fields.json' with { type: 'json' };
import { OWN_FIELDS } from '#spec/kinds/schema/own-fields.ts';

/** Shape of a value: a scalar word, a list, a map with text keys, or a type of the table. */
export type Shape =
  | { readonly is: 'scalar'; readonly word: Scalar }
  | { readonly is: 'list' | 'map'; readonly of: Shape }
  | { readonly is: 'type'; readonly name: string };

export type Scalar =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'number'
  | 'any'
  | 'date'
  | 'micro-date'
  | 'quantity'
  | 'bytes'
  | 'int-or-string'
  /** A number of 32 bits without sign, or a text: an AS number. */
  | 'uint32-or-string'
  /** An entry of a list that may be empty. */
  | 'int32-or-null';

export interface Field {
  readonly name: string;
  readonly required: boolean;
  readonly shape: Shape;
}

const SCALARS: ReadonlySet<string> = new Set<Scalar>([
  'string',
  'boolean',
  'int32',
  'int64',
  'number',
  'any',
  'date',
  'micro-date',
  'quantity',
  'bytes',
  'int-or-string',
  'uint32-or-string',
  'int32-or-null',
]);
const lines = new Map<string, string>([...Object.entries(table), ...Object.entries(OWN_FIELDS)]);
const parsed = new Map<string, ReadonlyMap<string, Field>>();

/** The fields of a type of the table by name, undefined if the table does not know the type. */
export function fieldsOf(type: string): ReadonlyMap<string, Field> | undefined {
  const known = parsed.get(type);
  if (known !== undefined) return known;
  const line = lines.get(type);
  if (line === undefined) return undefined;
  const fields = new Map(
    line
      .split(' ')
      .filter(Boolean)
      .map(readField)
      .map((field) => [field.name, field]),
  );
  parsed.set(type, fields);
  return fields;
}

function isScalar(word: string): word is Scalar {
  return SCALARS.has(word);
}

function readField(text: string): Field {
  const [left = '', right = ''] = text.split('=');
  return { name: left.replace('!', ''), required: left.endsWith('!'), shape: readShape(right) };
}

function readShape(word: string): Shape {
  if (word.startsWith('[]')) return { is: 'list', of: readShape(word.slice(2)) };
  if (word.startsWith('{}')) return { is: 'map', of: readShape(word.slice(2)) };
  return isScalar(word) ? { is: 'scalar', word } : { is: 'type', name: word };
}

/** `V1PodSpec` -> `PodSpec`: the name of the Go type. */
export function shortTypeName(type: string): string {
  return type.replace(/^[A-Za-z]*?V\d+(alpha\d+|beta\d+)?(?=[A-Z])/, '');
}
