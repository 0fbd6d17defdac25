/** Whether a schema is structural (Kubernetes "CustomResourceDefinitions" §Specifying a structural schema). */
import {
  childPath,
  defaultOf,
  isIntOrString,
  itemSchema,
  listKeys,
  preservesUnknown,
  propertiesOf,
  type Schema,
} from '#spec/kinds/custom/schema.ts';
import { patternOf, validateValue } from '#spec/kinds/custom/validate.ts';
import { isObject, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import { type FieldError, forbidden, invalid, required, unsupported } from '#spec/kinds/kind.ts';

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const FORBIDDEN = ['$ref', 'additionalItems', 'definitions', 'dependencies', 'id', 'patternProperties'];
/** What junctors (`allOf`, `anyOf`, `oneOf`, `not`) may not say, since it must be said of the value itself. */
const NOT_IN_JUNCTORS = ['additionalProperties', 'default', 'description', 'nullable', 'title', 'type'];
const ROOT = ['apiVersion', 'kind', 'metadata'];

/** What is wrong with the schema of a version; `path` leads to it. */
export function schemaErrors(schema: Schema, path: string): FieldError[] {
  const errors = nodeErrors(schema, path);
  if (textAt(schema, 'type') !== 'object')
    errors.unshift(invalid(`${path}.type`, schema.type ?? '', 'must be object at the root'));
  const metadata = Object.keys(propertiesOf(objectAt(schema, 'properties', 'metadata')));
  const more = metadata.filter((key) => key !== 'name' && key !== 'generateName');
  if (more.length > 0)
    errors.push(
      forbidden(
        `${path}.properties[metadata]`,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  return errors;
}

function nodeErrors(schema: Schema, path: string): FieldError[] {
  return [
    ...FORBIDDEN.filter((key) => schema[key] !== undefined).map((key) =>
      forbidden(`${path}.${key}`, `${key} is not supported`),
    ),
    ...typeErrors(schema, path),
    ...listErrors(schema, path),
    ...valueErrors(schema, path),
    ...junctorErrors(schema, path),
    ...childErrors(schema, path),
  ];
}

function typeErrors(schema: Schema, path: string): FieldError[] {
  const type = textAt(schema, 'type');
  if (isIntOrString(schema))
    return type === '' ? [] : [forbidden(`${path}.type`, 'must be empty if x-kubernetes-int-or-string is true')];
  if (type === '')
    return preservesUnknown(schema) ? [] : [required(`${path}.type`, 'must not be empty for specified object fields')];
  if (!TYPES.includes(type)) return [unsupported(`${path}.type`, type, TYPES)];
  if (type === 'array' && !isObject(schema.items)) return [required(`${path}.items`, 'must be specified')];
  if (schema.properties !== undefined && schema.additionalProperties !== undefined)
    return [forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive')];
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    return [invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined')];
  if (schema['x-kubernetes-embedded-resource'] === true && type !== 'object')
    return [invalid(`${path}.type`, type, 'must be object if x-kubernetes-embedded-resource is true')];
  return [];
}

function listErrors(schema: Schema, path: string): FieldError[] {
  const type = textAt(schema, 'x-kubernetes-list-type');
  if (schema.uniqueItems === true)
    return [
      forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    ];
  if (type === '') return [];
  if (textAt(schema, 'type') !== 'array')
    return [invalid(`${path}.type`, schema.type ?? '', 'must be array if x-kubernetes-list-type is specified')];
  if (!['atomic', 'map', 'set'].includes(type))
    return [unsupported(`${path}.x-kubernetes-list-type`, type, ['atomic', 'map', 'set'])];
  const keys = listKeys(schema);
  if (type !== 'map') return [];
  if (keys.length === 0)
    return [required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map')];
  const items = itemSchema(schema);
  return keys.flatMap((key) => {
    const property = propertiesOf(items)[key];
    if (!isObject(property))
      return [invalid(`${path}.x-kubernetes-list-map-keys`, key, 'entries must all be names of item properties')];
    const needed = objectAt(schema, 'items').required;
    if ((Array.isArray(needed) && needed.includes(key)) || defaultOf(property) !== undefined) return [];
    return [
      required(
        `${path}.items.properties[${key}].default`,
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
      ),
    ];
  });
}

function valueErrors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const preset = defaultOf(schema);
  if (preset !== undefined) errors.push(...validateValue(preset, schema, `${path}.default`));
  const pattern = textAt(schema, 'pattern');
  if (pattern !== '' && patternOf(pattern) === undefined)
    errors.push(invalid(`${path}.pattern`, pattern, 'must be a valid regular expression'));
  return errors;
}

function junctorErrors(schema: Schema, path: string): FieldError[] {
  const errors = ['allOf', 'anyOf', 'oneOf'].flatMap((key) =>
    objectsAt(schema, key).flatMap((one, index) =>
      insideErrors(one, `${path}.${key}[${index}]`, isIntOrString(schema)),
    ),
  );
  return isObject(schema.not) ? [...errors, ...insideErrors(schema.not, `${path}.not`, isIntOrString(schema))] : errors;
}

function insideErrors(schema: Schema, path: string, typed: boolean): FieldError[] {
  const wrong = NOT_IN_JUNCTORS.filter((key) => schema[key] !== undefined && !(key === 'type' && typed));
  return [
    ...wrong.map((key) => forbidden(`${path}.${key}`, 'must be empty to be structural')),
    ...Object.entries(propertiesOf(schema)).flatMap(([key, one]) =>
      isObject(one) ? insideErrors(one, `${path}.properties[${key}]`, false) : [],
    ),
    ...(isObject(schema.items) ? insideErrors(schema.items, `${path}.items`, false) : []),
  ];
}

function childErrors(schema: Schema, path: string): FieldError[] {
  const errors = Object.entries(propertiesOf(schema)).flatMap(([key, one]) => {
    const here = `${childPath(path, 'properties')}[${key}]`;
    if (!isObject(one)) return [];
    // Of these Kubernetes knows the type itself.
    return path.endsWith('openAPIV3Schema') && ROOT.includes(key) ? [] : nodeErrors(one, here);
  });
  if (isObject(schema.items)) errors.push(...nodeErrors(schema.items, `${path}.items`));
  if (Array.isArray(schema.items))
    errors.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'));
  if (isObject(schema.additionalProperties))
    errors.push(...nodeErrors(schema.additionalProperties, `${path}.additionalProperties`));
  return errors;
}
