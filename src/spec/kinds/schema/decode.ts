/**
 * Reading an object from outside by its field table, as Kubernetes' decoder does: unknown fields are dropped and
 * reported, nulls are absent, a value of the wrong shape is an error that names the field.
 */
import { isObject, type Json, type JsonObject } from '#spec/kinds/json.ts';
import { fieldsOf, type Scalar, type Shape, shortTypeName } from '#spec/kinds/schema/fields.ts';
import { isQuantity, QUANTITY_RULE, quantityOfNumber } from '#spec/quantity.ts';

/** A value that does not fit its field. The message is Go's, which is what kubectl users know. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

interface Place {
  /** Go name of the innermost struct. */
  readonly struct: string;
  /** Path without indices, as Go's decoder says it. */
  readonly fields: string;
  /** Path with indices, as warnings about unknown fields say it. */
  readonly path: string;
}

/**
 * Checks and cleans an object in place.
 * @returns the paths of unknown fields, which were dropped
 * @throws ShapeError
 */
export function decodeObject(value: JsonObject, type: string): string[] {
  const unknown: string[] = [];
  decodeStruct(value, type, { struct: '', fields: '', path: '' }, unknown);
  return unknown;
}

function decodeStruct(value: JsonObject, type: string, place: Place, unknown: string[]): void {
  const fields = fieldsOf(type);
  if (fields === undefined) return;
  const struct = shortTypeName(type);
  for (const [key, item] of Object.entries(value)) {
    const field = fields.get(key);
    const path = place.path === '' ? key : `${place.path}.${key}`;
    if (field === undefined) unknown.push(path);
    if (field === undefined || item === null) {
      delete value[key];
      continue;
    }
    const names = place.fields === '' ? key : `${place.fields}.${key}`;
    value[key] = decodeValue(item, field.shape, { struct, fields: names, path }, unknown);
    if (!field.required && isEmptyCollection(value[key], field.shape)) delete value[key];
    if (value[key] === false && FALSE_IS_ABSENT.has(key)) delete value[key];
  }
}

/**
 * Plain (not pointer) booleans of the Go types, which are left out when they are false: a client that sends protobuf
 * writes them all, and the same object must come of it as of JSON. Elsewhere `false` is an answer of its own.
 */
const FALSE_IS_ABSENT: ReadonlySet<string> = new Set([
  'globalDefault',
  'hostIPC',
  'hostNetwork',
  'hostPID',
  'paused',
  'publishNotReadyAddresses',
  'readOnly',
  'stdin',
  'stdinOnce',
  'tty',
  'unschedulable',
]);

/** Go leaves empty lists and maps out (`omitempty`), so that `annotations: {}` and none are the same. */
function isEmptyCollection(value: Json | undefined, shape: Shape): boolean {
  if (shape.is === 'list') return Array.isArray(value) && value.length === 0;
  return shape.is === 'map' && isObject(value) && Object.keys(value).length === 0;
}

function decodeValue(value: Json, shape: Shape, place: Place, unknown: string[]): Json {
  switch (shape.is) {
    case 'scalar':
      return decodeScalar(value, shape.word, place);
    case 'type':
      if (!isObject(value)) throw mismatch(value, `v1.${shortTypeName(shape.name)}`, place);
      decodeStruct(value, shape.name, place, unknown);
      return value;
    case 'list':
      if (!Array.isArray(value)) throw mismatch(value, goType(shape), place);
      return value.map((item, index) => decodeItem(item, shape.of, `${place.path}[${index}]`, place, unknown));
    case 'map':
      if (!isObject(value)) throw mismatch(value, goType(shape), place);
      for (const [key, item] of Object.entries(value)) {
        value[key] = decodeItem(item, shape.of, `${place.path}.${key}`, place, unknown);
      }
      return value;
  }
}

function decodeItem(item: Json, shape: Shape, path: string, place: Place, unknown: string[]): Json {
  if (item === null) {
    if (shape.is !== 'scalar') return {};
    return shape.word === 'int32-or-null' ? null : '';
  }
  return decodeValue(item, shape, { ...place, path }, unknown);
}

function decodeScalar(value: Json, word: Scalar, place: Place): Json {
  switch (word) {
    case 'any':
      return value;
    case 'string':
      if (typeof value !== 'string') throw mismatch(value, 'string', place);
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') throw mismatch(value, 'bool', place);
      return value;
    case 'int32':
    case 'int64':
    case 'number':
      return decodeNumber(value, word, place);
    case 'int-or-string':
      if (typeof value === 'string') return value;
      return decodeNumber(value, 'int32', place);
    case 'uint32-or-string':
      if (typeof value === 'string') return value;
      return decodeNumber(value, 'uint32', place);
    case 'int32-or-null':
      return decodeNumber(value, 'int32', place);
    case 'quantity':
      return decodeQuantity(value, place);
    case 'bytes':
      return decodeBytes(value, place);
    case 'date':
    case 'micro-date':
      return decodeDate(value, place);
  }
}

const RANGES = {
  int32: [-2147483648, 2147483647],
  int64: [-Infinity, Infinity],
  uint32: [0, 4294967295],
} as const;

function decodeNumber(value: Json, word: 'int32' | 'int64' | 'uint32' | 'number', place: Place): number {
  if (typeof value !== 'number') throw mismatch(value, word === 'number' ? 'float64' : word, place);
  if (word === 'number') return value;
  const [least, most] = RANGES[word];
  const inRange = value >= least && value <= most;
  if (Number.isInteger(value) && inRange) return value;
  throw new ShapeError(
    `json: cannot unmarshal number ${value} into Go struct field ${place.struct}.${place.fields} of type ${word}`,
  );
}

function decodeQuantity(value: Json, place: Place): string {
  const text = typeof value === 'number' ? quantityOfNumber(value) : value;
  if (typeof text !== 'string') throw mismatch(value, 'resource.Quantity', place);
  if (!isQuantity(text)) throw new ShapeError(QUANTITY_RULE);
  return text;
}

function decodeBytes(value: Json, place: Place): string {
  if (typeof value !== 'string') throw mismatch(value, '[]uint8', place);
  const wrong = value.replace(/[\r\n]/g, '').search(/[^A-Za-z0-9+/=]/);
  if (wrong >= 0) throw new ShapeError(`illegal base64 data at input byte ${wrong}`);
  if (value.replace(/[\r\n]/g, '').length % 4 !== 0)
    throw new ShapeError(`illegal base64 data at input byte ${value.length}`);
  return value;
}

function decodeDate(value: Json, place: Place): string {
  if (typeof value !== 'string') throw mismatch(value, 'v1.Time', place);
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
  if (form.test(value) && !Number.isNaN(Date.parse(value))) return value;
  throw new ShapeError(`parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse it`);
}

function goType(shape: Shape): string {
  switch (shape.is) {
    case 'list':
      return `[]${goType(shape.of)}`;
    case 'map':
      return `map[string]${goType(shape.of)}`;
    case 'type':
      return `v1.${shortTypeName(shape.name)}`;
    case 'scalar':
      return shape.word === 'boolean' ? 'bool' : shape.word;
  }
}

function mismatch(value: Json, type: string, place: Place): ShapeError {
  const found = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return new ShapeError(
    `json: cannot unmarshal ${found} into Go struct field ${place.struct}.${place.fields} of type ${type}`,
  );
}
