/** Columns that most kinds have, and ways to write cells. */
import { ageOf } from '#spec/kinds/age.ts';
import { isObject, type Json, objectAt, textAt } from '#spec/kinds/json.ts';
import type { Column, KubeObject } from '#spec/kinds/kind.ts';

export const NAME: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  cell: (object) => object.metadata.name,
};

export const AGE: Column = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  cell: (object, now) => ageOf(textAt(object, 'metadata', 'creationTimestamp'), now),
};

/** A column of text; `wide` ones are shown with `-o wide`. */
export function column(
  name: string,
  description: string,
  cell: (object: KubeObject, now: number) => string | number,
  options: { readonly type?: Column['type']; readonly wide?: boolean } = {},
): Column {
  return { name, type: options.type ?? 'string', description, cell, priority: options.wide === true ? 1 : 0 };
}

/** The columns of a kind that nobody has described: its name and age. */
export const PLAIN_COLUMNS: readonly Column[] = [NAME, AGE];

/** `a=1,b=2`, `<none>` when empty: labels and node selectors. */
export function formatLabels(value: Json | undefined): string {
  const entries = isObject(value) ? Object.entries(value) : [];
  if (entries.length === 0) return '<none>';
  return entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, text]) => `${key}=${String(text)}`)
    .join(',');
}

/** A LabelSelector as kubectl prints it. */
export function formatSelector(selector: Json | undefined): string {
  const parts = Object.entries(objectAt(selector, 'matchLabels')).map(([key, value]) => `${key}=${String(value)}`);
  const expressions = isObject(selector) && Array.isArray(selector.matchExpressions) ? selector.matchExpressions : [];
  for (const expression of expressions) parts.push(formatExpression(expression));
  return parts.length === 0 ? '<none>' : parts.sort().join(',');
}

function formatExpression(expression: Json): string {
  const key = textAt(expression, 'key');
  const values = isObject(expression) && Array.isArray(expression.values) ? expression.values.join(',') : '';
  switch (textAt(expression, 'operator')) {
    case 'In':
      return `${key} in (${values})`;
    case 'NotIn':
      return `${key} notin (${values})`;
    case 'Exists':
      return key;
    default:
      return `!${key}`;
  }
}

export function orNone(text: string): string {
  return text === '' ? '<none>' : text;
}
