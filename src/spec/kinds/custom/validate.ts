/**
 * Checking a value against a structural schema, with the messages of Kubernetes' own validation (OpenAPI v3, JSON Schema
 * draft 4 as apiextensions/v1 restricts it).
 */
import { hasFormat } from '#spec/kinds/custom/formats.ts';
import {
  childPath,
  isIntOrString,
  itemSchema,
  listKeys,
  listType,
  propertiesOf,
  propertySchema,
  type Schema,
} from '#spec/kinds/custom/schema.ts';
import {
  isObject,
  type Json,
  type JsonObject,
  listAt,
  numberAt,
  objectsAt,
  sameJson,
  textAt,
  textsAt,
} from '#spec/kinds/json.ts';
import { duplicate, type FieldError, fieldError, invalid, required, unsupported } from '#spec/kinds/kind.ts';

/** All that is wrong with a value, `path` naming it. */
export function validateValue(value: Json, schema: Schema, path: string): FieldError[] {
  if (value === null && schema.nullable === true) return [];
  const type = typeError(value, schema, path);
  if (type !== undefined) return [type];
  return [
    ...enumErrors(value, schema, path),
    ...(typeof value === 'string' ? textErrors(value, schema, path) : []),
    ...(typeof value === 'number' ? numberErrors(value, schema, path) : []),
    ...(Array.isArray(value) ? listErrors(value, schema, path) : []),
    ...(isObject(value) ? objectErrors(value, schema, path) : []),
    ...junctorErrors(value, schema, path),
  ];
}

function typeOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function typeError(value: Json, schema: Schema, path: string): FieldError | undefined {
  const found = typeOf(value);
  if (isIntOrString(schema)) {
    if (found === 'integer' || found === 'string') return undefined;
    return mistyped(path, 'integer,string', found);
  }
  const wanted = textAt(schema, 'type');
  if (wanted === '' || wanted === found || (wanted === 'number' && found === 'integer')) return undefined;
  return mistyped(path, wanted, found);
}

function mistyped(path: string, wanted: string, found: string): FieldError {
  return invalid(path, found, `${path} in body must be of type ${wanted}: ${JSON.stringify(found)}`);
}

function enumErrors(value: Json, schema: Schema, path: string): FieldError[] {
  const allowed = listAt(schema, 'enum');
  if (allowed.length === 0 || allowed.some((one) => sameJson(one, value))) return [];
  return [
    unsupported(
      path,
      value,
      allowed.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
    ),
  ];
}

function textErrors(text: string, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const [shortest, longest] = [numberAt(schema, 'minLength'), numberAt(schema, 'maxLength')];
  const length = [...text].length;
  if (shortest !== undefined && length < shortest)
    errors.push(invalid(path, text, `${path} in body should be at least ${shortest} chars long`));
  if (longest !== undefined && length > longest)
    errors.push(fieldError('FieldValueTooLong', path, `Too long: may not be more than ${longest} bytes`));
  const pattern = textAt(schema, 'pattern');
  if (pattern !== '' && patternOf(pattern)?.test(text) === false)
    errors.push(invalid(path, text, `${path} in body should match '${pattern}'`));
  const format = textAt(schema, 'format');
  if (format !== '' && !hasFormat(text, format))
    errors.push(invalid(path, text, `${path} in body must be of type ${format}: ${JSON.stringify(text)}`));
  return errors;
}

const patterns = new Map<string, RegExp | undefined>();

/** Go's expressions are nearly JavaScript's; undefined for one that this cannot read. */
export function patternOf(pattern: string): RegExp | undefined {
  if (!patterns.has(pattern)) patterns.set(pattern, compiled(pattern));
  return patterns.get(pattern);
}

function compiled(pattern: string): RegExp | undefined {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const source = pattern
    .slice(flags?.[0].length ?? 0)
    .replaceAll('\\A', '^')
    .replaceAll('\\z', '$');
  for (const mode of ['u', '']) {
    try {
      return new RegExp(source, `${flags?.[1] ?? ''}${mode}`);
    } catch {
      // Tried once more without Unicode mode, which takes fewer escapes.
    }
  }
  return undefined;
}

function numberErrors(value: number, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const say = (what: string) => errors.push(invalid(path, value, `${path} in body should be ${what}`));
  const [least, most] = [numberAt(schema, 'minimum'), numberAt(schema, 'maximum')];
  if (least !== undefined && schema.exclusiveMinimum === true && value <= least) say(`greater than ${least}`);
  else if (least !== undefined && value < least) say(`greater than or equal to ${least}`);
  if (most !== undefined && schema.exclusiveMaximum === true && value >= most) say(`less than ${most}`);
  else if (most !== undefined && value > most) say(`less than or equal to ${most}`);
  const step = numberAt(schema, 'multipleOf');
  if (step !== undefined && !Number.isInteger(value / step)) say(`a multiple of ${step}`);
  const format = textAt(schema, 'format');
  if (format === 'int32' && (value > 2147483647 || value < -2147483648))
    errors.push(invalid(path, value, `${path} in body must be of type int32: ${value}`));
  return errors;
}

function listErrors(list: readonly Json[], schema: Schema, path: string): FieldError[] {
  const errors = list.flatMap((item, index) => validateValue(item, itemSchema(schema), `${path}[${index}]`));
  const [fewest, most] = [numberAt(schema, 'minItems'), numberAt(schema, 'maxItems')];
  if (fewest !== undefined && list.length < fewest)
    errors.push(invalid(path, list.length, `${path} in body should have at least ${fewest} items`));
  if (most !== undefined && list.length > most)
    errors.push(fieldError('FieldValueTooMany', path, `Too many: ${list.length}: must have at most ${most} items`));
  return [...errors, ...doubles(list, schema, path)];
}

/** Items of sets and of maps must differ. */
function doubles(list: readonly Json[], schema: Schema, path: string): FieldError[] {
  const type = listType(schema);
  if (type === 'atomic') return [];
  const nameOf = (item: Json): Json => {
    if (type === 'set' || !isObject(item)) return item;
    return Object.fromEntries(listKeys(schema).map((key) => [key, item[key] ?? null]));
  };
  const seen = new Set<string>();
  return list.flatMap((item, index) => {
    const name = nameOf(item);
    const text = JSON.stringify(name);
    if (seen.has(text)) return [duplicate(`${path}[${index}]`, name)];
    seen.add(text);
    return [];
  });
}

function objectErrors(object: JsonObject, schema: Schema, path: string): FieldError[] {
  const errors = textsAt(schema, 'required')
    .filter((key) => object[key] === undefined)
    .map((key) => required(childPath(path, key)));
  for (const [key, value] of Object.entries(object)) {
    const inner = propertySchema(schema, key);
    if (inner !== undefined) errors.push(...validateValue(value, inner, memberPath(schema, path, key)));
  }
  const size = Object.keys(object).length;
  const [fewest, most] = [numberAt(schema, 'minProperties'), numberAt(schema, 'maxProperties')];
  if (fewest !== undefined && size < fewest)
    errors.push(invalid(path, size, `${path} in body should have at least ${fewest} properties`));
  if (most !== undefined && size > most)
    errors.push(fieldError('FieldValueTooMany', path, `Too many: ${size}: must have at most ${most} items`));
  return errors;
}

/** Keys of maps stand in brackets where they are no names. */
function memberPath(schema: Schema, path: string, key: string): string {
  return Object.hasOwn(propertiesOf(schema), key) || /^[\w-]+$/.test(key) ? childPath(path, key) : `${path}[${key}]`;
}

function junctorErrors(value: Json, schema: Schema, path: string): FieldError[] {
  const fits = (one: Schema): boolean => validateValue(value, one, path).length === 0;
  const errors = objectsAt(schema, 'allOf').flatMap((one) => validateValue(value, one, path));
  const any = objectsAt(schema, 'anyOf');
  if (any.length > 0 && !any.some(fits))
    errors.push(invalid(path, value, `${JSON.stringify(path)} must validate at least one schema (anyOf)`));
  const one = objectsAt(schema, 'oneOf');
  const count = one.filter(fits).length;
  if (one.length > 0 && count !== 1) {
    const found = count === 0 ? 'Found none valid' : `Found ${count} valid alternatives`;
    errors.push(
      invalid(path, value, `${JSON.stringify(path)} must validate one and only one schema (oneOf). ${found}`),
    );
  }
  const not = schema.not;
  if (isObject(not) && fits(not))
    errors.push(invalid(path, value, `${JSON.stringify(path)} must not validate the schema (not)`));
  return errors;
}
