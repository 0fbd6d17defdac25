/** `x-kubernetes-validations`: what a definition demands of its objects in CEL, node by node of the schema. */
import { Optional } from '@marcbachmann/cel-js';
import { type Expression, readExpression } from '#serve/api/rules/cel.ts';
import { celValue } from '#serve/api/rules/value.ts';
import { childPath, itemSchema, listKeys, listType, propertySchema, type Schema } from '#spec/kinds/custom/schema.ts';
import { isObject, type Json, type JsonObject, objectsAt, sameJson, textAt } from '#spec/kinds/json.ts';
import { type FieldError, fieldError, invalid, type Kind, type KubeObject } from '#spec/kinds/kind.ts';

const KEY = 'x-kubernetes-validations';
const REASONS = ['FieldValueInvalid', 'FieldValueRequired', 'FieldValueForbidden', 'FieldValueDuplicate'] as const;

type Reason = (typeof REASONS)[number];

interface Rule {
  readonly rule: Expression;
  readonly message: string;
  readonly messageExpression: Expression | undefined;
  readonly reason: Reason;
  /** Behind the path of the value, `.x.y`. */
  readonly fieldPath: string;
  /** `oldSelf` is an optional, and the rule holds for new values too (KEP-4008 §optionalOldSelf). */
  readonly optionalOld: boolean;
}

/** A value, what stood in its place before, and where it stands. */
interface Place {
  readonly value: Json;
  readonly old: Json | undefined;
  readonly schema: Schema;
  readonly path: string;
}

/**
 * What rules of the definition an object breaks. What an update leaves as it was is not asked again (KEP-4008).
 * @param old undefined for a new object
 */
export function ruleErrors({ schema }: Kind, object: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (schema === undefined || !hasRules(schema)) return [];
  return [...errorsAt({ value: visible(object), old: old && visible(old), schema, path: '' })];
}

/** Of metadata rules see no more than the name. */
function visible(object: KubeObject): JsonObject {
  const { name, generateName } = object.metadata;
  const metadata: JsonObject = { name };
  if (generateName !== undefined) metadata.generateName = generateName;
  return { ...object, metadata };
}

function* errorsAt(place: Place): Generator<FieldError> {
  const { value, old, schema } = place;
  if (old !== undefined && sameJson(value, old)) return;
  for (const rule of rulesOf(schema)) yield* broken(rule, place);
  if (Array.isArray(value)) yield* errorsInList(value, place);
  if (!isObject(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    const known = propertySchema(schema, key);
    const before = isObject(old) ? old[key] : undefined;
    if (known !== undefined)
      yield* errorsAt({ value: inner, old: before, schema: known, path: childPath(place.path, key) });
  }
}

/** Items of a list of type `map` are the same by their keys; of all others none is what it was. */
function* errorsInList(list: readonly Json[], { old, schema, path }: Place): Generator<FieldError> {
  const keys = listType(schema) === 'map' ? listKeys(schema) : [];
  const before = Array.isArray(old) && keys.length > 0 ? old : [];
  for (const [index, value] of list.entries()) {
    const same = (one: Json): boolean =>
      isObject(one) && isObject(value) && keys.every((key) => sameJson(one[key], value[key]));
    yield* errorsAt({ value, old: before.find(same), schema: itemSchema(schema), path: `${path}[${index}]` });
  }
}

function* broken(rule: Rule, { value, old, schema, path }: Place): Generator<FieldError> {
  const { optionalOld } = rule;
  if (rule.rule.unknown.length > 0 || (rule.rule.usesOld && old === undefined && !optionalOld)) return;
  const before = old === undefined ? undefined : celValue(old, schema);
  const variables = {
    self: celValue(value, schema),
    ...(optionalOld ? { oldSelf: Optional.of(before) } : before === undefined ? {} : { oldSelf: before }),
  };
  const found = outcome(rule, variables);
  if (found === undefined) return;
  const field = `${path}${rule.fieldPath}`.replace(/^\./, '');
  yield fieldError(rule.reason, field, WORDS[rule.reason](textAt(schema, 'type'), found));
}

/** How each reason is said; of the value only its type is shown. */
const WORDS: Readonly<Record<Reason, (type: string, found: string) => string>> = {
  FieldValueInvalid: (type, found) => `Invalid value: ${JSON.stringify(type)}: ${found}`,
  FieldValueRequired: (_type, found) => `Required value: ${found}`,
  FieldValueForbidden: (_type, found) => `Forbidden: ${found}`,
  FieldValueDuplicate: (type) => `Duplicate value: ${JSON.stringify(type)}`,
};

/** What is said of a value that breaks the rule; undefined if it keeps it. */
function outcome(
  { rule, message, messageExpression }: Rule,
  variables: Parameters<Expression['run']>[0],
): string | undefined {
  try {
    if (rule.run(variables) === true) return undefined;
  } catch (error) {
    return `rule evaluation error: ${error instanceof Error ? error.message.split('\n')[0] : String(error)} (${rule.text})`;
  }
  return said(messageExpression, variables) || message || `failed rule: ${rule.text}`;
}

function said(expression: Expression | undefined, variables: Parameters<Expression['run']>[0]): string {
  try {
    const text = expression?.run(variables);
    return typeof text === 'string' ? text.trim() : '';
  } catch {
    return ''; // the message stands in for one that cannot be made
  }
}

const read = new WeakMap<Schema, readonly Rule[]>();

function rulesOf(schema: Schema): readonly Rule[] {
  const found = read.get(schema);
  if (found !== undefined) return found;
  const made = objectsAt(schema, KEY).flatMap(readRule);
  read.set(schema, made);
  return made;
}

/** What cannot be read was refused when it was written. */
function readRule(json: JsonObject): Rule[] {
  const optionalOld = json.optionalOldSelf === true;
  const rule = readExpression(textAt(json, 'rule'), optionalOld);
  const messageExpression = readExpression(textAt(json, 'messageExpression') || '""', optionalOld);
  if (typeof rule === 'string' || typeof messageExpression === 'string') return [];
  const reason = REASONS.find((one) => one === textAt(json, 'reason')) ?? 'FieldValueInvalid';
  const [message, fieldPath] = [textAt(json, 'message'), textAt(json, 'fieldPath')];
  return [{ rule, messageExpression, message, reason, fieldPath, optionalOld }];
}

const ruled = new WeakMap<Schema, boolean>();

function hasRules(schema: Schema): boolean {
  const found = ruled.get(schema) ?? nodesOf(schema, '').some(({ schema: one }) => one[KEY] !== undefined);
  ruled.set(schema, found);
  return found;
}

/** Every node of a schema with its path. */
function nodesOf(schema: Schema, path: string): { readonly schema: Schema; readonly path: string }[] {
  const inner = Object.entries(schema.properties ?? {}).flatMap(([key, one]) =>
    isObject(one) ? nodesOf(one, `${path}.properties[${key}]`) : [],
  );
  for (const key of ['items', 'additionalProperties']) {
    const one = schema[key];
    if (isObject(one)) inner.push(...nodesOf(one, `${path}.${key}`));
  }
  return [{ schema, path }, ...inner];
}

interface RuleFinding {
  /** `spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule` */
  readonly path: string;
  readonly rule: string;
  /** Why it is no expression; '' if it is one. */
  readonly malformed: string;
  /** Functions that it calls and that are not here. */
  readonly unknown: readonly string[];
}

/** What is wrong with the rules of a definition. */
export function malformedRules(definition: KubeObject): FieldError[] {
  return findingsIn(definition)
    .filter(({ malformed }) => malformed !== '')
    .map(({ path, rule, malformed }) => invalid(path, rule, `compilation failed: ${malformed}`));
}

/** What a definition's writer is warned of: rules that are kept and not evaluated. */
export function ruleWarnings(definition: KubeObject): string[] {
  return findingsIn(definition)
    .filter(({ unknown }) => unknown.length > 0)
    .map(
      ({ path, unknown }) =>
        `${path}: it calls ${unknown.join(', ')}, which is not known here: the rule is kept, not evaluated`,
    );
}

/** What is to be said of the rules of a definition: those that are none, and those that are kept but not evaluated. */
function findingsIn(definition: KubeObject): RuleFinding[] {
  return objectsAt(definition, 'spec', 'versions').flatMap((version, index) => {
    const schema = isObject(version.schema) ? version.schema.openAPIV3Schema : undefined;
    if (!isObject(schema)) return [];
    return nodesOf(schema, `spec.versions[${index}].schema.openAPIV3Schema`).flatMap(findingsAt);
  });
}

function findingsAt({ schema, path }: { readonly schema: Schema; readonly path: string }): RuleFinding[] {
  return objectsAt(schema, KEY).flatMap((json, index) =>
    ['rule', 'messageExpression'].flatMap((key) => {
      const text = textAt(json, key);
      if (text === '' && key !== 'rule') return [];
      const expression = readExpression(text, json.optionalOldSelf === true);
      const place = { path: `${path}.${KEY}[${index}].${key}`, rule: text };
      if (typeof expression === 'string') return [{ ...place, malformed: expression, unknown: [] }];
      if (key === 'rule' && json.optionalOldSelf !== undefined && !expression.usesOld)
        return [{ ...place, malformed: 'optionalOldSelf may not be set: the rule does not use oldSelf', unknown: [] }];
      return expression.unknown.length === 0 ? [] : [{ ...place, malformed: '', unknown: expression.unknown }];
    }),
  );
}
